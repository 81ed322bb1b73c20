FROM scratch
MAINTAINER a b
LABEL a=1 "b c"=2 d="e f"
ENV A=1
WORKDIR /w
USER u:g
VOLUME ["/a", "/b"]
VOLUME /c /d
EXPOSE 80 443/tcp
STOPSIGNAL SIGTERM
SHELL ["/bin/sh", "-c"]
HEALTHCHECK --interval=5s --retries=3 CMD curl localhost
HEALTHCHECK NONE
ENTRYPOINT ["a"]
CMD b c
ONBUILD RUN true
ARG LAST=1
