ARG BASE=src/base/busybox:image

FROM ${BASE}
COPY --chmod=755 src/greeting/greet.sh /usr/bin/greet
ENTRYPOINT ["greet"]
