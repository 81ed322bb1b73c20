ARG A=1
FROM scratch
ARG A=2
COPY a${A}b ${A:-none} x${A-unset} /
