ARG B=busybox
FROM scratch
ARG B
COPY --from=$B / /
