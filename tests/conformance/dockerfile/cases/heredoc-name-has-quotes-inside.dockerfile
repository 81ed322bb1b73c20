FROM scratch
COPY <<E"O"F /a
${ is kept
EOF
ARG A=1
