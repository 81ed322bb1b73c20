FROM scratch
ARG V=v
ARG A=\$V B="\$V" C='\$V' D=\\$V E="a\tb" F=a\tb
