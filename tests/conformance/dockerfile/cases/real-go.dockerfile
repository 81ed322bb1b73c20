FROM --platform=$BUILDPLATFORM golang:1.22-alpine AS base
WORKDIR /src
ENV CGO_ENABLED=0
COPY go.* .
RUN --mount=type=cache,target=/go/pkg/mod go mod download

FROM base AS build
ARG TARGETOS
ARG TARGETARCH
ARG VERSION=dev
RUN --mount=target=. \
    --mount=type=cache,target=/root/.cache/go-build \
    GOOS=${TARGETOS} GOARCH=${TARGETARCH} go build -ldflags "-X main.v=${VERSION}" -o /out/app .

FROM golangci/golangci-lint:v1.57 AS lint-base

FROM base AS lint
RUN --mount=target=. --mount=from=lint-base,src=/usr/bin/golangci-lint,target=/usr/bin/golangci-lint golangci-lint run

FROM scratch AS bin-unix
COPY --from=build /out/app /
FROM bin-unix AS bin-linux
FROM bin-unix AS bin-darwin
FROM scratch AS bin-windows
COPY --from=build /out/app /app.exe
FROM bin-${TARGETOS} AS bin
