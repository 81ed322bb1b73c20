FROM scratch AS base-amd64
ARG A=amd
FROM scratch AS base-arm64
ARG A=arm
FROM base-$TARGETARCH
