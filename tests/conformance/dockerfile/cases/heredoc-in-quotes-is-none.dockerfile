FROM scratch
RUN echo "<<EOF" '<<X' \<<Y
ARG A=1
