FROM scratch
RUN ["echo", "<<EOF"]
ARG A=1
