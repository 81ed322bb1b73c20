FROM scratch
RUN ["a", "b"]
RUN [ "$x" = y ]
RUN
ARG A=1
