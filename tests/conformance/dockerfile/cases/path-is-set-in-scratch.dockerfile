FROM scratch
COPY x$PATH /
