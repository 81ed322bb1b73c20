ARG P=linux/arm64
FROM --platform=$BUILDPLATFORM tools:1 AS tools
FROM --platform=$P app:1 AS app
FROM --platform=linux/s390x scratch
COPY --from=tools / /
COPY --from=app / /
