FROM scratch
ARG A=a$1b$@c$$d$.e$ B=${1}x${12:-y} C=$
