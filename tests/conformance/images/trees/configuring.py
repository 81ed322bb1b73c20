"""Trees about what stands in the config of an image."""

from __future__ import annotations

from tests.conformance.images.tree import Files
from tests.conformance.images.trees.writing import BASE, SCRATCH, tree

FILES: Files = {"a": "a"}
COPY = "COPY a /"

TREES = (
    tree("env", SCRATCH, COPY, "ENV A=1 B=two C='three 3'", "ENV D old form", files=FILES),
    tree(
        "env-of-env", SCRATCH, "ENV A=1", "ENV B=$A:$C D=${A}x E=${Z:-z} F=\\$A", COPY, files=FILES
    ),
    tree("env-in-paths", SCRATCH, "ENV D=/x/y", "COPY a $D/", "WORKDIR ${D}", files=FILES),
    tree(
        "env-patterns",
        SCRATCH,
        "ENV A=a.tar.gz",
        "ENV B=${A%.gz} C=${A%%.*} D=${A#a.} E=${A/tar/zip}",
        COPY,
        files=FILES,
    ),
    tree("env-path-of-base", BASE, "ENV PATH=/x:$PATH", "RUN echo $PATH > /y"),
    tree("label", SCRATCH, COPY, 'LABEL a=1 "b c"="d e" f=\'g\'', "LABEL a=2", files=FILES),
    tree("label-variables", SCRATCH, "ARG V=1.2", COPY, "LABEL version=$V long='$V'", files=FILES),
    tree(
        "label-by-field",
        SCRATCH,
        COPY,
        "LABEL a=dockerfile",
        files=FILES,
        image_labels={"a": "field", "b": "x=y, z"},
    ),
    tree("label-by-field-only", SCRATCH, COPY, files=FILES, image_labels={"a.b/c": "d e"}),
    tree("label-by-field-empty", BASE, files=FILES, image_labels={"a": "", "b": "1"}),
    tree("label-old-form", SCRATCH, COPY, "LABEL name many words", files=FILES),
    tree(
        "annotations", SCRATCH, COPY, files=FILES, image_annotations={"a": "b", "manifest:c": "d e"}
    ),
    tree(
        "annotations-of-index",
        SCRATCH,
        COPY,
        files=FILES,
        image_annotations={"index:a": "b", "manifest:c": "d"},
        platforms=["linux/amd64", "linux/arm64"],
    ),
    tree(
        "annotations-by-platform",
        SCRATCH,
        COPY,
        files=FILES,
        image_annotations={"manifest[linux/arm64]:a": "b"},
        platforms=["linux/amd64", "linux/arm64"],
    ),
    tree("maintainer", SCRATCH, COPY, "MAINTAINER Ada <ada@example.org>", files=FILES),
    tree("maintainer-of-base", BASE, "MAINTAINER one", "MAINTAINER two"),
    tree("maintainer-variable", SCRATCH, "ARG M=me", COPY, "MAINTAINER $M", files=FILES),
    tree("expose", SCRATCH, COPY, "EXPOSE 80 443/tcp 53/udp", files=FILES),
    tree("expose-range", SCRATCH, COPY, "EXPOSE 7000-7002/udp", files=FILES),
    tree("expose-variable", SCRATCH, "ARG PORT=8080", COPY, "EXPOSE $PORT", files=FILES),
    tree("cmd-shell", SCRATCH, COPY, "CMD echo $HOME", files=FILES),
    tree("cmd-exec", SCRATCH, COPY, 'CMD ["a", "b c", "$D"]', files=FILES),
    tree("cmd-twice", SCRATCH, COPY, "CMD one", 'CMD ["two"]', files=FILES),
    tree("entrypoint-exec", SCRATCH, COPY, 'ENTRYPOINT ["/a"]', 'CMD ["b"]', files=FILES),
    tree("entrypoint-shell", SCRATCH, COPY, "CMD gone", "ENTRYPOINT exec a", files=FILES),
    tree("entrypoint-empty", BASE, "ENTRYPOINT []", "CMD []"),
    tree("volume", BASE, "RUN mkdir /v && touch /v/x", 'VOLUME ["/v", "/w"]', "RUN touch /v/y"),
    tree("volume-words", SCRATCH, COPY, "VOLUME /v /w x", files=FILES),
    tree("volume-variable", SCRATCH, "ENV V=/data", COPY, "VOLUME $V", files=FILES),
    tree("stopsignal", SCRATCH, COPY, "STOPSIGNAL SIGQUIT", files=FILES),
    tree("stopsignal-number", SCRATCH, COPY, "STOPSIGNAL 9", files=FILES),
    tree("stopsignal-variable", SCRATCH, "ARG S=TERM", COPY, "STOPSIGNAL SIG$S", files=FILES),
    tree(
        "healthcheck",
        *(
            SCRATCH,
            COPY,
            "HEALTHCHECK --interval=5s --timeout=3s --start-period=1m --start-interval=2s \\",
            "  --retries=2 CMD /a",
        ),
        files=FILES,
    ),
    tree("healthcheck-none", BASE, "HEALTHCHECK NONE"),
    tree(
        "healthcheck-exec",
        SCRATCH,
        COPY,
        'HEALTHCHECK --interval=1m30s --start-period=0s --retries=1 CMD ["/a", "b"]',
        files=FILES,
    ),
    tree(
        "healthcheck-twice",
        SCRATCH,
        COPY,
        "HEALTHCHECK CMD one",
        "HEALTHCHECK --timeout=1s --start-interval=1s --start-period=2s --interval=3s \\",
        "  --retries=4 CMD two",
        files=FILES,
    ),
    tree(
        "healthcheck-short",
        SCRATCH,
        COPY,
        "HEALTHCHECK --timeout=10s --start-interval=100ms CMD two",
        files=FILES,
    ),
    tree("onbuild", SCRATCH, COPY, "ONBUILD RUN echo $A", "ONBUILD COPY . /", files=FILES),
    tree(
        "onbuild-of-config",
        SCRATCH,
        COPY,
        "ONBUILD ENV A=1",
        "ONBUILD ARG B",
        "ONBUILD USER 7",
        files=FILES,
    ),
    tree(
        "onbuild-heredoc",
        SCRATCH,
        COPY,
        "ONBUILD COPY --chmod=755 a /x",
        'ONBUILD CMD ["y"]',
        files=FILES,
    ),
    tree("config-only", BASE, "CMD one"),
    tree("config-of-base-kept", BASE, "LABEL a=b", "USER 7"),
)
