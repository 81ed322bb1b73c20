FROM scratch
ARG P=a.b.c-a.b.c
ARG A=${P/./_} B=${P//./_} C=${P/b*c/X} D=${P//a?b/X} E=${P/nothing/X} F=${P//-/\/} G=${P/./}
