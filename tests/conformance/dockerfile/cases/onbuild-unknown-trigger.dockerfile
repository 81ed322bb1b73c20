FROM scratch AS base
ONBUILD FETCH x
FROM base
