ARG BASE=//src/base:image
ARG OTHER=:other
FROM scratch
ARG BASE OTHER
