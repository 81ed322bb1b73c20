FROM scratch AS a
ARG A=1
FROM scratch
COPY --from=a / /
COPY x$A /
