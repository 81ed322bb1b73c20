FROM scratch
COPY --from=Tools / /
