FROM scratch
ARG A=x
COPY ["a b", "$A/c", "dst/"]
ADD [ "d", "e/" ]
