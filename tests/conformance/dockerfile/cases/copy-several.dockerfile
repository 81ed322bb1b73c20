FROM scratch
COPY a b/ ./c ../d /e /f/../g h/* "i" /dst/
