ARG A=1
ARG A=${A}2
ARG A=${A}3
FROM scratch
ARG A
ARG B=x
ARG B=${B}y
COPY $A $B /
