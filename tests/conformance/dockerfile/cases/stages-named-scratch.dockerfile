FROM a:1 AS scratch
ARG A=1
FROM scratch
ARG B=2
