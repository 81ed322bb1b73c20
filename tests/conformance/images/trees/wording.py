"""Trees about how a Dockerfile is written."""

from __future__ import annotations

from dataclasses import replace

from tests.conformance.images.tree import Files
from tests.conformance.images.trees.writing import BASE, SCRATCH, tree

FILES: Files = {"a": "a", "b": "b"}

TREES = (
    tree("lower-case", "from scratch as One", "copy a /", "label x=y", files=FILES),
    tree(
        "comments", "# first", SCRATCH, "  # indented", "COPY a \\", "# between", " /", files=FILES
    ),
    tree("directive-escape", "# escape=`", SCRATCH, "COPY a `", " /x", 'LABEL a=b`"c', files=FILES),
    tree("directive-escape-backslash", "# escape=\\", SCRATCH, "COPY a \\", " /x", files=FILES),
    tree(
        "directive-escape-windows", "#escape=`", SCRATCH, "COPY a /", "ENV P=C:\\dir\\", files=FILES
    ),
    tree("directive-check", "# check=skip=all", SCRATCH, "COPY a /", "MAINTAINER me", files=FILES),
    tree("directive-check-error", "# check=error=true", SCRATCH, "COPY a /", files=FILES),
    tree(
        "directive-check-named",
        "#check=skip=JSONArgsRecommended;error=true",
        SCRATCH,
        "COPY a /",
        "CMD a",
        files=FILES,
    ),
    tree("directive-not-first", "# comment", "# escape=`", SCRATCH, "COPY a /\\", "x", files=FILES),
    tree("continued-blank-lines", SCRATCH, "COPY a \\", "", "  /", files=FILES),
    tree("windows-lines", f"{SCRATCH}\r", "COPY a /\r", "LABEL x=y\r", files=FILES),
    tree("byte-order-mark", f"\ufeff{SCRATCH}", "COPY a /", files=FILES),
    tree("blank-lines", "", "", SCRATCH, "", "COPY a /", "", files=FILES),
    tree("quotes", SCRATCH, "COPY \"a\" '/x'", 'ENV A="b \'c\' \\"d\\"" E=\'f"g\'', files=FILES),
    tree("no-last-line-end", SCRATCH, "COPY a /", 'CMD ["x"]', files=FILES),
    tree(
        "variables-in-flags",
        SCRATCH,
        "ARG M=640 O=7",
        "COPY --chown=$O --chmod=$M a /",
        files=FILES,
    ),
    tree("unicode", SCRATCH, "COPY a /日本/é", "LABEL ü=ö", files=FILES),
    tree("run-with-heredoc-and-more", BASE, "RUN cat > /x <<E && echo 2 > /y", "1", "E"),
    replace(
        tree("dockerfile-of-another-name", SCRATCH, "COPY a /", files=FILES),
        dockerfile_name="release.Dockerfile",
    ),
    replace(
        tree("dockerfile-below", SCRATCH, "COPY a /", files=FILES),
        dockerfile_name="docker/app.Dockerfile",
    ),
)
