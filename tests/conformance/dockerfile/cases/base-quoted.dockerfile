ARG B="python:3"
FROM "$B"
