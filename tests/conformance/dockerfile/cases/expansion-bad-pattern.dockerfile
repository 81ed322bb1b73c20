FROM scratch
ARG B=x
ARG A=${B#\x}
