# escape=`
FROM scratch
ARG A=c:\dir `
    B=`"quoted`"
COPY a\b /
ENV P=x`$y
COPY $P /p
