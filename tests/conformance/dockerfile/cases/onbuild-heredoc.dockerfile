FROM scratch AS base
ONBUILD COPY <<EOF /x
hello
EOF
ONBUILD ARG A=1
FROM base
