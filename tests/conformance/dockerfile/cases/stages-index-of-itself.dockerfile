FROM scratch
FROM scratch
COPY --from=1 / /
