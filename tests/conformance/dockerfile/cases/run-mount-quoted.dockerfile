FROM scratch
RUN --mount='type=secret,"id=a,b"' --mount=type=secret,id="c" true
