FROM scratch
ARG T=secret
ARG I=key
RUN --mount=type=$T,id=$I,required=true true
