FROM scratch
ARG P=/usr/local/lib/file.tar.gz
ARG A=${P#*/} B=${P##*/} C=${P%.*} D=${P%%.*} E=${P#nothing} F=${P%.??} G=${P##/u?r}
