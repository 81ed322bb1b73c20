FROM scratch AS a
ARG A=1
ENV E=e
FROM a AS b
COPY $A-$E /
FROM b
COPY $E$A /
