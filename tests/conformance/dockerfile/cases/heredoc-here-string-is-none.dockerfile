FROM scratch
RUN cat <<<word
ARG A=1
