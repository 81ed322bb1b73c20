"""Trees about ignore files: each form of pattern, and each place that BuildKit looks at."""

from __future__ import annotations

from dataclasses import replace

from tests.conformance.images.tree import Files, Tree
from tests.conformance.images.trees.writing import BASE, SCRATCH, tree

FILES: Files = {
    "a": "a",
    "b.txt": "b",
    "c.log": "c",
    "d/a": "da",
    "d/b.txt": "db",
    "d/e/c.log": "dec",
    "d/e/keep.log": "k",
    "README.md": "r",
    "node_modules/x/y": "y",
    ".env": "secret",
}

PATTERNS = {
    "name": "a\n",
    "directory": "d\n",
    "directory-with-slash": "node_modules/\n",
    "leading-slash": "/a\n/d/a\n",
    "star": "*.txt\n",
    "star-below": "*/a\n",
    "question-mark": "?.txt\nd/?\n",
    "class": "[ab]*\n",
    "class-negated": "[^a-d]*\n",
    "class-range": "[b-c].*\n",
    "double-star": "**/*.log\n",
    "double-star-inside": "d/**/c.log\n",
    "double-star-last": "d/**\n",
    "exception": "*.md\n!README.md\n",
    "exception-below": "d\n!d/e/keep.log\n",
    "exception-then-again": "*.log\n!c.log\nc.*\n",
    "all-but": "*\n!b.txt\n!d/e\n",
    "all-but-below": "**\n!d/**/keep.log\n",
    "comments": "# a\n\n  a  \n\t#b.txt\n",
    "escapes": "\\a\nb\\.txt\n",
    "dots": "d/../a\n./b.txt\n",
    "windows-lines": "a\r\nd\r\n",
    "byte-order-mark": "\ufeffa\nd\n",
    "dockerfile-and-itself": "Dockerfile\n.dockerignore\n",
    "empty": "",
    "question-marks": "???\n?.log\n",
    "question-mark-below": "d/?.txt\n!d/b.???\n",
    "comment-after-space": " # a\nb.txt\n",
    "comment-like-name": "\\#a\n#b.txt\n",
    "leading-slash-directory": "/d/e/\n",
    "leading-slash-star": "/*.txt\n",
    "leading-slash-exception": "d\n!/d/e\n",
    "trailing-slash-star": "*/\n",
    "trailing-slash-of-file": "a/\nd/e//\n",
    "escaped-star": "\\*.txt\n\\?.log\n",
    "escaped-exception": "*\n!\\a\n\\!a\n",
    "dots-above": "../a\nd/./b.txt\n",
    "dots-to-root": "d/..\n./a\n",
    "windows-lines-exception": "*.log\r\n!c.log\r\n",
    "windows-lines-and-blanks": "\r\n  a\t\r\n\r\n",
    "byte-order-mark-comment": "\ufeff# a\nd\n",
    "byte-order-mark-exception": "\ufeff*\n!a\n",
    "only-comments": "# a\n\n# d\n",
}


def with_ignore_file(name: str, content: str) -> Tree:
    return tree(f"ignore-{name}", SCRATCH, "COPY . /x/", files={**FILES, ".dockerignore": content})


TREES = (
    *(with_ignore_file(name, content) for name, content in PATTERNS.items()),
    tree(
        "ignore-beside-dockerfile",
        *(SCRATCH, "COPY . /x/"),
        files={**FILES, "Dockerfile.dockerignore": "d\n", ".dockerignore": "a\n"},
    ),
    tree(
        "ignore-beside-dockerfile-empty",
        *(SCRATCH, "COPY . /x/"),
        files={**FILES, "Dockerfile.dockerignore": "", ".dockerignore": "a\n"},
    ),
    replace(
        tree(
            "ignore-beside-another-name",
            *(SCRATCH, "COPY . /x/"),
            files={
                **FILES,
                "docker/app.Dockerfile.dockerignore": "*\n!d\n",
                ".dockerignore": "d\n",
            },
        ),
        dockerfile_name="docker/app.Dockerfile",
    ),
    tree(
        "ignore-and-mount",
        *(BASE, "RUN --mount=target=/m cd /m && find . -type f | sort > /x"),
        files={**FILES, ".dockerignore": "**/*.log\nnode_modules\n"},
    ),
    tree(
        "ignore-and-add",
        *(SCRATCH, "ADD d /x/"),
        files={**FILES, ".dockerignore": "d/e\n"},
    ),
    *(
        tree(
            f"ignore-in-named-context-{name}",
            *(SCRATCH, "COPY --from=more . /x/"),
            files={"a": "a", ".dockerignore": "x*\n"},
            contexts={"more": {"xa": "1", "xb": "2", "y/xc": "3", ".dockerignore": content}},
        )
        for name, content in {"file": "xa\n", "below": "**/xc\n", "exception": "*\n!y\n"}.items()
    ),
    tree(
        "ignore-empty-in-named-context",
        *(SCRATCH, "COPY --from=more . /x/"),
        files={"a": "a", ".dockerignore": ""},
        contexts={"more": {"xa": "1", ".dockerignore": ""}},
    ),
    tree(
        "ignore-not-of-named-context",
        *(SCRATCH, "COPY --from=more . /x/"),
        files={"a": "a", ".dockerignore": "xa\n"},
        contexts={"more": {"xa": "1"}},
    ),
)
