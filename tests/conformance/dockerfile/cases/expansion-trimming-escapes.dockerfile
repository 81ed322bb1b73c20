FROM scratch
ARG P=a*b?c*d
ARG A=${P#*\*} B=${P##*\*} C=${P%\?*} D=${P#a\*}
