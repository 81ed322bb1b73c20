"""Trees about what a build takes from elsewhere: contexts, images, URLs, Git repositories."""

from __future__ import annotations

from dataclasses import replace

from tests.conformance.images.tree import Files
from tests.conformance.images.trees.writing import BASE, SCRATCH, program, tree

FILES: Files = {"a": "a"}
TOOLS: dict[str, Files] = {"tools": {"t": "tool", "d/u": "below", "run": program()}}

TREES = (
    tree("context-copy", SCRATCH, "COPY --from=tools t /x", contexts=TOOLS),
    tree("context-copy-all", SCRATCH, "COPY --from=tools . /x/", contexts=TOOLS),
    tree("context-mount", BASE, "RUN --mount=from=tools,target=/t cp -r /t/d /x", contexts=TOOLS),
    tree("context-as-base", "FROM tools", "COPY a /", files=FILES, contexts=TOOLS),
    tree(
        "context-named-like-a-stage",
        f"{SCRATCH} AS tools",
        "COPY a /",
        SCRATCH,
        "COPY --from=tools . /",
        files=FILES,
        contexts=TOOLS,
    ),
    tree(
        "context-two",
        SCRATCH,
        "COPY --from=one a /x",
        "COPY --from=two a /y",
        contexts={"one": {"a": "1"}, "two": {"a": "2"}},
    ),
    tree(
        "context-same-path-and-size",
        SCRATCH,
        "COPY a /",
        "COPY --from=other a /b",
        files={"a": "AAAA"},
        contexts={"other": {"a": "BBBB"}},
    ),
    tree(
        "context-image",
        SCRATCH,
        "COPY --from=tools /bin/busybox /x",
        build_contexts={"tools": "docker-image://%PINNED%"},
    ),
    tree(
        "context-image-as-base",
        "FROM tools",
        "RUN echo 1 > /x",
        build_contexts={"tools": "docker-image://%PINNED%"},
    ),
    tree(
        "context-image-mount",
        BASE,
        "RUN --mount=from=tools,target=/t ls /t > /x",
        build_contexts={"tools": "docker-image://%PINNED%"},
    ),
    tree(
        "context-git",
        SCRATCH,
        "COPY --from=source file /x",
        build_contexts={"source": "%GIT%#%COMMIT%"},
    ),
    tree(
        "context-git-all",
        SCRATCH,
        "COPY --from=source . /x/",
        build_contexts={"source": "%GIT%#%COMMIT%"},
    ),
    tree(
        "context-git-mount",
        BASE,
        "RUN --mount=from=source,target=/s cat /s/file > /x",
        build_contexts={"source": "%GIT%#%COMMIT%"},
    ),
    tree("url-with-checksum", SCRATCH, "ADD --checksum=%HTTP_SHA256% %HTTP%/file /x/"),
    tree(
        "url-with-checksum-and-name",
        SCRATCH,
        "ADD --checksum=%HTTP_SHA256% --chmod=755 %HTTP%/file /y",
    ),
    tree(
        "url-with-checksum-owned",
        SCRATCH,
        "ADD --checksum=%HTTP_SHA256% --chown=7:8 --link %HTTP%/file /y/z",
    ),
    tree("git-at-commit", SCRATCH, "ADD %GIT%#%COMMIT% /x"),
    tree("git-at-commit-with-directory", SCRATCH, "ADD --keep-git-dir=false %GIT%#%COMMIT% /x"),
    tree("git-below", SCRATCH, "ADD %GIT%#%COMMIT%:d /x"),
    tree(
        "git-below-with-directory",
        SCRATCH,
        "ADD --keep-git-dir=false --chown=7:8 %GIT%#%COMMIT%:d /x",
    ),
    tree(
        "git-twice",
        SCRATCH,
        "ADD --keep-git-dir=false %GIT%#%COMMIT% /x",
        "ADD --keep-git-dir=false --link %GIT%#%COMMIT%:d /y",
    ),
    tree("git-with-checksum", SCRATCH, "ADD --checksum=%COMMIT% %GIT%#%COMMIT% /x"),
    tree(
        "git-tag-with-checksum-and-directory",
        SCRATCH,
        "ADD --keep-git-dir --checksum=%COMMIT% %GIT%#v1 /x",
    ),
)
"""What names its content."""

MOVING = (
    tree("url", SCRATCH, "ADD %HTTP%/file /x/"),
    tree("url-to-name", SCRATCH, "ADD --chmod=755 %HTTP%/file /x"),
    tree("url-archive-stays", SCRATCH, "ADD %HTTP%/one.tar /x/"),
    tree("url-archive-unpacked", SCRATCH, "ADD --unpack=true %HTTP%/one.tar /x/"),
    tree("url-and-file", SCRATCH, "ADD %HTTP%/file a /x/", files=FILES),
    tree("git-branch", SCRATCH, "ADD %GIT%#main /x"),
    tree("git-default-branch", SCRATCH, "ADD %GIT% /x"),
    tree("git-tag-below", SCRATCH, "ADD %GIT%#v1:d /x"),
    # BuildKit 0.30 and later reads what they name for its time; an older one has no use for it.
    tree(
        "time-of-stage",
        *("ARG SOURCE_DATE_EPOCH=one", f"{SCRATCH} AS one", "ADD %GIT%#main /"),
        *(SCRATCH, "COPY a /"),
        files=FILES,
    ),
    tree(
        "time-of-named-context",
        *("ARG SOURCE_DATE_EPOCH=source", SCRATCH, "COPY a /"),
        files=FILES,
        build_contexts={"source": "%GIT%#main"},
    ),
    tree(
        "time-of-context",
        *("ARG SOURCE_DATE_EPOCH=context", SCRATCH, "COPY a /"),
        files=FILES,
    ),
)
"""What may give something else tomorrow."""

_BASE = tree(
    "image-base", BASE, "COPY a /", "RUN echo 1 > /made", "ENV A=1", "LABEL a=b", files=FILES
)

TARGETS = (
    _BASE,
    replace(tree("image-on-image", "FROM base", "RUN cat /made > /x"), on={"base": _BASE.name}),
    replace(tree("image-copy", SCRATCH, "COPY --from=base /made /x"), on={"base": _BASE.name}),
    replace(
        tree("image-mount", BASE, "RUN --mount=type=bind,from=base,target=/b cp /b/made /b/a /"),
        on={"base": _BASE.name},
    ),
    replace(
        tree(
            "image-and-context",
            *(f"{SCRATCH} AS more", "COPY a /", "FROM base", "COPY --from=more /a /b"),
            files=FILES,
        ),
        on={"base": _BASE.name},
    ),
)
"""Images on images of the same repository."""

INLINE = tuple(
    replace(each, inline=True)
    for each in (
        tree("inline", SCRATCH, "COPY a /", 'CMD ["a", "b c"]', files=FILES),
        tree("inline-heredoc", BASE, "RUN <<E", "echo '$HOME' \\\\ \"q\" > /x", "E"),
        tree("inline-continued", "# comment", SCRATCH, "COPY a \\", "  /x", files=FILES),
        tree(
            "inline-with-ignore-file",
            *(SCRATCH, "COPY . /x/"),
            files={"a": "a", "b": "b", ".dockerignore": "b\nDockerfile\n"},
        ),
    )
)
"""Dockerfiles that stand in BUILD files."""

TRIGGERS = (
    tree("trigger-run", "FROM %TRIGGER_RUN%", "RUN echo child > /child"),
    tree("trigger-copy", "FROM %TRIGGER_COPY%", "LABEL x=y", files=FILES),
    tree(
        "trigger-argument",
        "FROM %TRIGGER_ARGUMENT%",
        "RUN echo 1 > /y",
        extra_build_args=["VALUE=given"],
    ),
    tree("trigger-argument-default", "FROM %TRIGGER_ARGUMENT%", "RUN echo 1 > /y"),
    tree(
        "trigger-copy-from-stage",
        f"{SCRATCH} AS assets",
        "COPY a /",
        "FROM %TRIGGER_FROM%",
        "CMD x",
        files=FILES,
    ),
    tree(
        "trigger-in-first-stage",
        "FROM %TRIGGER_RUN% AS one",
        SCRATCH,
        "COPY --from=one /triggered /x",
    ),
)
"""`ONBUILD` of base images."""
