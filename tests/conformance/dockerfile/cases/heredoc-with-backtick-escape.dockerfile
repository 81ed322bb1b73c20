# escape=`
FROM scratch
RUN cat <<A\ B `
  && true
x
A B
ARG A=1
