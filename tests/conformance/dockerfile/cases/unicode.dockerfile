FROM scratch
ARG NAME=grün
COPY src/$NAME/données /ziel
ARG ÄÖ=1
