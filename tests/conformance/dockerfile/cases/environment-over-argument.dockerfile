FROM scratch
ARG A=arg
ENV A=env
COPY $A /1
ARG A=again
COPY $A /2
