FROM scratch
ARG A=${}
