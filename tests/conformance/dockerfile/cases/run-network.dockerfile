FROM scratch
RUN --network=none true
RUN --network=host true
