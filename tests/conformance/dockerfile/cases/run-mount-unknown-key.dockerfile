FROM scratch
RUN --mount=type=bind,foo=bar,target=/x true
