ARG A=1
FROM scratch
COPY x$A /
