FROM scratch AS a
FROM scratch
ADD --from=a x /
