FROM scratch
RUN cat <<   EOF
x
EOF
ARG A=1
