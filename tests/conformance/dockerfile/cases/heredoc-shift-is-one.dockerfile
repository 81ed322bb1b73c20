FROM scratch
RUN echo $((1 << 2))
ARG A=1
