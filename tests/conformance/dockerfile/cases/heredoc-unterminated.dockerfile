FROM scratch
RUN <<EOF
x
 EOF
