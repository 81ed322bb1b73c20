FROM a:1 AS Build
FROM scratch
COPY --from=BUILD / /
