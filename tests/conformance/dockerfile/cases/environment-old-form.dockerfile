FROM scratch
ENV A one two  three
ENV B $A
COPY x$B /
