ARG REGISTRY=localhost:5000/
ARG SUFFIX=-slim
ARG TAG=RELEASE.2024-01-01T00-00-00Z
FROM ${REGISTRY}app/base:1 AS base
FROM python${SUFFIX} AS python
FROM minio/minio:${TAG}
COPY --from=base /a /
COPY --from=python /b /
