ARG U=1
FROM unused:1 AS unused
ARG U
RUN --mount=type=secret,id=s true
FROM used:1 AS used
FROM scratch
COPY --from=used /a /b
