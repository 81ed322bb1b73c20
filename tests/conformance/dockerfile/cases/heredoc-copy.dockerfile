FROM scratch
ARG V=1
COPY <<EOF /a
FROM not-an-instruction
$V ${V:-x}
EOF
COPY b /
