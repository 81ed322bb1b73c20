ARG A
FROM scratch
ARG A
COPY ${A:?needed} /
