FROM needed:1 AS deps
ARG D=1
FROM deps AS build
ARG B=2
COPY --from=other:1 / /
FROM scratch
COPY --from=build / /
