ARG V=1
FROM scratch
ARG A=1 \
  B=2
COPY <<EOF /x
hello
EOF
ARG C=3
