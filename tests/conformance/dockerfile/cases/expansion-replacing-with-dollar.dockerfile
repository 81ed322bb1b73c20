FROM scratch
ARG P=abc
ARG A=${P//b/[\$0]} B=${P//b/\$\$} C=${P//*/x} D=${P/b/\$0}
