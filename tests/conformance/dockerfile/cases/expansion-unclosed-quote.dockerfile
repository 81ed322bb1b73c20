FROM scratch
ARG A=1
COPY a"b /
