FROM scratch
COPY --from=image:1 / /
FROM scratch
COPY --from=2 / /
