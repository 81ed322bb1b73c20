FROM scratch
COPY --link=maybe x /
