FROM scratch
ARG A=${X:-${Y:-${Z:-deep}}} B=${X:-"quoted $A"} C=${A:+[$A]}
