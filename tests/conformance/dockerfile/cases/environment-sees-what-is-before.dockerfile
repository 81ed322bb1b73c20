FROM scratch
ENV A=1 B=$A
ENV A=2 B=$A C=$B
COPY a$A b$B c$C /
