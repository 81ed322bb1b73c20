FROM scratch
\
ARG A=1
\
\
ARG B=2
