FROM scratch
ARG A="one two" B='$A' C=one\ two D="say \"hi\"" E=
COPY x$E /
