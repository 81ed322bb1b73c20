FROM scratch
RUN --network=wifi true
