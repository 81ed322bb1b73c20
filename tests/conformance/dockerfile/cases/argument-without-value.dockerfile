FROM scratch
ARG A
COPY x${A}y ${A:-d} z${A+set} /
