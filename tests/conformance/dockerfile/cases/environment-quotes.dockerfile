FROM scratch
ENV A="a b" B='$A' C=c\ d "D"=q E="x$A"
COPY $C$D$E /
