FROM scratch
RUN --mount=type=secret,from=x,id=s true
