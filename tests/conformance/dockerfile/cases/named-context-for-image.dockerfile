FROM docker.io/library/base:latest AS a
FROM other/base:2
COPY --from=a / /
COPY --from=tools / /
COPY --from=more:1.0 / /
