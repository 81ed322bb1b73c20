FROM scratch AS base
ONBUILD ARG A=1
ONBUILD COPY --from=tools:1 /t /t
ONBUILD COPY src-$A /src
FROM base AS child
ARG B=$A
FROM child
