FROM scratch
WORKDIR --x /w
