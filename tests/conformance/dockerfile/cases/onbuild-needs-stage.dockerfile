FROM tools:2 AS tools
FROM scratch AS base
ONBUILD RUN --mount=from=tools,target=/t true
FROM base
