FROM scratch
RUN --memory=1g true
