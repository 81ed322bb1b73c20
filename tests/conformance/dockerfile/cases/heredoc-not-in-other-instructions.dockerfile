FROM scratch
ENV A=<<EOF
LABEL x="<<EOF"
ARG B=1
