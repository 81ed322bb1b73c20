FROM scratch
 ARG A=1
ARG	B=2
ARG C=3
