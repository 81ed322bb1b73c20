FROM scratch
ARG U=1000
COPY --chown=$U:$U --chmod=755 --link a /
COPY --link=false --exclude=*.md --exclude=x b /
ADD --chown=u --keep-git-dir=true --checksum= c /
