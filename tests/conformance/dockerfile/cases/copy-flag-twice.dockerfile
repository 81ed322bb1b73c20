FROM scratch
COPY --link --link x /
