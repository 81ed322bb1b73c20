FROM scratch
RUN --mount=type=secret,id=é true
