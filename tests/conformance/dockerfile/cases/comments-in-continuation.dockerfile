FROM scratch
ARG A=1 \
# a comment
    # an indented comment
    B=2 \

    C=3
ARG D=4
