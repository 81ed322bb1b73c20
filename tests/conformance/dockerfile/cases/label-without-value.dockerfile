FROM scratch
LABEL x
