# escape=`
FROM scratch AS base
ONBUILD ARG A=a`b
FROM base
