FROM scratch
LABEL x=${
