FROM a:1
FROM scratch
RUN --mount=from=0,target=/x true
