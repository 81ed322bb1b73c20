FROM scratch
COPY --from=1 / /
