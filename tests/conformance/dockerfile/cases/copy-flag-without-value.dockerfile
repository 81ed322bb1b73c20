FROM scratch
COPY --from x /
