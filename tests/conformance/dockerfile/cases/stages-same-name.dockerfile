FROM a:1 AS x
FROM x AS x
FROM b:1 AS x
FROM scratch
COPY --from=x / /
