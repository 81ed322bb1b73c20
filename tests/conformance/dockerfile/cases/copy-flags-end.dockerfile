FROM scratch
COPY --link -- --from /
