FROM scratch AS Build
FROM BUILD
