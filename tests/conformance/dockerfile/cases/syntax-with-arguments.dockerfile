# syntax = docker/dockerfile:1.7-labs foo bar
FROM scratch
