FROM alpine
RUN --mount=type=${T:-cache},target=/c --mount=type=secret,id=a$X true
