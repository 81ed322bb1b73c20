FROM scratch$SUFFIX
