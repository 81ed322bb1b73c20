FROM scratch
ONBUILD COPY --from=tools:1 / /
ONBUILD FETCH x
