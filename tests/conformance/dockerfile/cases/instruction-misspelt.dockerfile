FORM scratch
COPY a /
