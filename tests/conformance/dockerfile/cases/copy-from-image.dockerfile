FROM scratch
COPY --from=busybox /bin/sh /
COPY --from=registry.example.com:5000/x/y:1 / /
