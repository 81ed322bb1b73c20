FROM scratch
ARG A=on\
e B=tw\
o
