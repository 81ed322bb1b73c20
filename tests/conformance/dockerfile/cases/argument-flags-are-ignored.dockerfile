FROM scratch
ARG --whatever A=1
