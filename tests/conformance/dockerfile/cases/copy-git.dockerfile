FROM scratch
COPY git@example.com:x/y.git /
