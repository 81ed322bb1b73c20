   # escape=`
FROM scratch
ARG A=1 `
  B=2
