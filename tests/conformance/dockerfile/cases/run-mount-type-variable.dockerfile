FROM scratch
ARG T=secret
RUN --mount=type=$T,id=s true
