ARG F=a
FROM scratch
ARG F
RUN --mount=from=$F,target=/x true
