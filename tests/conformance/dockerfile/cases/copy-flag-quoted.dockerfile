FROM scratch AS a
FROM scratch
COPY --from="a" --chown='1:1' y /
