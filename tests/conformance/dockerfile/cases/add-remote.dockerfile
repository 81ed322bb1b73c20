FROM scratch
ARG V=1
ADD https://example.com/x-$V.tgz http://example.com/y local.tar ftp://example.com/z /d/
ADD https://example.com/org/repo.git#v$V git@example.com:org/repo.git /src/
ADD github.com/org/repo /src
