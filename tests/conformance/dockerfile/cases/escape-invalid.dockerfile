# escape=!
FROM scratch
