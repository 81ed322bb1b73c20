"""Trees about `COPY`."""

from __future__ import annotations

from tests.conformance.images.tree import Files
from tests.conformance.images.trees.writing import (
    ACCOUNTS,
    BASE,
    COPY_ACCOUNTS,
    SCRATCH,
    program,
    tree,
)

FLAT: Files = {"a": "a", "b.txt": "b", "c.txt": "c", "run": program()}
DEEP: Files = {"d/a": "a", "d/e/b.txt": "b", "d/e/f/c.txt": "c", "g/a": "other", "d/run": program()}

TREES = (
    tree("copy-file", SCRATCH, "COPY a /", files=FLAT),
    tree("copy-file-to-name", SCRATCH, "COPY a /x/y/z", files=FLAT),
    tree("copy-file-to-directory", SCRATCH, "COPY a b.txt /x/y/", files=FLAT),
    tree("copy-program", SCRATCH, "COPY run /bin/", files=FLAT),
    tree("copy-all", SCRATCH, "COPY . /", files=DEEP),
    tree("copy-all-below", SCRATCH, "COPY . /srv/app", files=DEEP),
    tree("copy-directory", SCRATCH, "COPY d /d/", files=DEEP),
    tree("copy-directory-with-slash", SCRATCH, "COPY d/ /", files=DEEP),
    tree("copy-two-directories", SCRATCH, "COPY d g /both/", files=DEEP),
    tree("copy-over-itself", SCRATCH, "COPY d /x/", "COPY g /x/", files=DEEP),
    tree("copy-star", SCRATCH, "COPY *.txt /", files=FLAT),
    tree("copy-question-mark", SCRATCH, "COPY ?.txt /x/", files=FLAT),
    tree("copy-class", SCRATCH, "COPY [bc].txt /x/", files=FLAT),
    tree("copy-class-with-slash", SCRATCH, "COPY [bc/.].txt /x/", files=FLAT),
    tree("copy-class-over-directories", SCRATCH, "COPY d[^x]e/b.txt /x/", files=DEEP),
    tree("copy-star-of-directories", SCRATCH, "COPY */a /x/", files=DEEP),
    tree("copy-star-below", SCRATCH, "COPY d/e/* /x/", files=DEEP),
    tree("copy-double-star", SCRATCH, "COPY **/*.txt /x/", files=DEEP),
    tree("copy-json", SCRATCH, 'COPY ["a b", "c", "/x y/"]', files={"a b": "1", "c": "2"}),
    tree("copy-dots", SCRATCH, "COPY d/../g/./a /x", files=DEEP),
    tree("copy-above", SCRATCH, "COPY ../../g/a /x", files=DEEP),
    tree("copy-absolute", SCRATCH, "COPY /g/a /x", files=DEEP),
    tree("copy-to-workdir", SCRATCH, "WORKDIR /w/x", "COPY a .", "COPY a ../y", files=FLAT),
    tree(
        "copy-odd-names", SCRATCH, "COPY . /", files={"é": "1", "a'b": "2", "a,b": "3", "[x]": "4"}
    ),
    tree("copy-escaped-class", SCRATCH, "COPY [[]x] /", files={"[x]": "4", "x": "5"}),
    tree("copy-empty-file", SCRATCH, "COPY empty /", files={"empty": ""}),
    tree(
        "copy-large-file",
        SCRATCH,
        "COPY . /",
        files={"large": "0" * 600_000, "same": "0" * 600_000},
    ),
    tree("copy-large-program", SCRATCH, "COPY . /", files={"large": program("0" * 600_000)}),
    tree("copy-hidden-files", SCRATCH, "COPY . /", files={".hidden": "1", "d/.env": "2"}),
    tree("copy-chmod", SCRATCH, "COPY --chmod=640 . /", files=DEEP),
    tree("copy-chmod-special", SCRATCH, "COPY --chmod=4755 run /", files=FLAT),
    tree("copy-chmod-of-directory", SCRATCH, "COPY --chmod=0711 d /d", files=DEEP),
    tree("copy-chown", SCRATCH, "COPY --chown=7:8 . /x/", files=DEEP),
    tree("copy-chown-user-only", SCRATCH, "COPY --chown=7 a /x/", files=FLAT),
    tree(
        "copy-chown-by-name",
        *(BASE, COPY_ACCOUNTS, "COPY --chown=ada:wheel a /x/", "COPY --chown=ada b.txt /x/"),
        files={**FLAT, **ACCOUNTS},
    ),
    tree("copy-link", SCRATCH, "COPY --link a /x/", "COPY --link b.txt /x/", files=FLAT),
    tree("copy-link-directory", BASE, "COPY --link d /bin/more/", files=DEEP),
    tree("copy-link-owned", SCRATCH, "COPY --link --chown=7:8 --chmod=600 a /x/y", files=FLAT),
    tree("copy-exclude", SCRATCH, "COPY --exclude=*.txt . /x/", files=FLAT),
    tree("copy-exclude-twice", SCRATCH, "COPY --exclude=**/b.txt --exclude=g . /", files=DEEP),
    tree("copy-exclude-below", SCRATCH, "COPY --exclude=e/f d /x/", files=DEEP),
    tree("copy-to-existing-link", BASE, "RUN mkdir /r && ln -s /r /l", "COPY a /l/", files=FLAT),
    tree("copy-over-base", BASE, "COPY a /bin/ls", files=FLAT),
    tree("copy-heredoc", SCRATCH, "COPY <<one <<two /x/", "1", "one", "2", "two"),
    tree("copy-heredoc-expanded", SCRATCH, "ARG A=v", "COPY <<E /x", "A is $A \\$A", "E"),
    tree("copy-heredoc-quoted", SCRATCH, "ARG A=v", "COPY <<'E' /x", "A is $A", "E"),
    tree("copy-heredoc-tabs", SCRATCH, "COPY --chmod=755 <<-E /x", "\tone", "\tE"),
    tree("copy-heredoc-and-file", SCRATCH, "COPY a <<E /x/", "text", "E", files=FLAT),
)
