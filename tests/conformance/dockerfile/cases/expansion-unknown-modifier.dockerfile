FROM scratch
ARG A=${B:=c}
