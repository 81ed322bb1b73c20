FROM scratch AS a
COPY --from=b / /
FROM scratch AS b
COPY --from=a / /
