FROM --platform=$BUILDPLATFORM tools:1 AS tools
FROM base-$TARGETARCH:1
COPY --from=tools / /
