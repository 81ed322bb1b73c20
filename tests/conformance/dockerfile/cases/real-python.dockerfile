# build stage
ARG PYTHON=3.12
ARG DISTRO=bookworm

FROM python:${PYTHON}-slim-${DISTRO} AS build
ARG PIP_VERSION=24.0
ENV PIP_NO_CACHE_DIR=1 \
    PYTHONUNBUFFERED=1
WORKDIR /src
COPY requirements.txt .
RUN --mount=type=cache,target=/root/.cache/pip \
    pip install "pip==${PIP_VERSION}" && \
    # install the rest
    pip install -r requirements.txt
COPY src/ src/

FROM build AS test
COPY tests/ tests/
RUN pytest

FROM gcr.io/distroless/python3-${DISTRO}
LABEL org.opencontainers.image.title="app"
COPY --from=build --chown=65532:65532 /src /app
USER 65532
ENTRYPOINT ["python", "-m", "app"]
