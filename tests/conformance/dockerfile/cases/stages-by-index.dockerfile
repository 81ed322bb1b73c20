FROM a:1
FROM b:1
FROM scratch
COPY --from=1 / /
COPY --from=00 / /
