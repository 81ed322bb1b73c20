ARG A=value
ARG E=
FROM scratch
ARG A E
ARG R1=${A:-d} R2=${U:-d} R3=${E:-d} R4=${E-d} R5=${A:+w} R6=${U:+w} R7=${E:+w} R8=${E+w} R9=${A:?m} R10=${E?m}
