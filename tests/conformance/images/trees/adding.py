"""Trees about `ADD`."""

from __future__ import annotations

import gzip
import io
import tarfile

from tests.conformance.images.tree import Files
from tests.conformance.images.trees.writing import (
    ACCOUNTS,
    BASE,
    COPY_ACCOUNTS,
    SCRATCH,
    program,
    tree,
)


def archive(mode: str = "w") -> bytes:
    """A tar file with a directory, a file, a program, a link and a hard link."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as made:
        for name, kind, attributes in (
            ("d", tarfile.DIRTYPE, {"mode": 0o750}),
            ("d/file", tarfile.REGTYPE, {"mode": 0o640, "uid": 5, "gid": 6, "mtime": 1_000_000}),
            ("d/run", tarfile.REGTYPE, {"mode": 0o4755}),
            ("link", tarfile.SYMTYPE, {"linkname": "d/file"}),
            ("again", tarfile.LNKTYPE, {"linkname": "d/file"}),
        ):
            member = tarfile.TarInfo(name)
            member.type = kind
            for key, value in attributes.items():
                setattr(member, key, value)
            content = name.encode() if kind == tarfile.REGTYPE else b""
            member.size = len(content)
            made.addfile(member, io.BytesIO(content))
    content = written.getvalue()
    return gzip.compress(content, mtime=0) if mode == "w:gz" else content


FILES: Files = {"a": "a", "d/b": "b", "d/c.txt": "c", "run": program()}
ARCHIVES: Files = {"one.tar": archive(), "two.tar.gz": archive("w:gz"), "false.tar": "no archive"}

TREES = (
    tree("add-file", SCRATCH, "ADD a /x/", files=FILES),
    tree("add-directory", SCRATCH, "ADD d /x/", files=FILES),
    tree("add-all", SCRATCH, "ADD . /", files=FILES),
    tree("add-json", SCRATCH, 'ADD ["a", "d/b", "/x/"]', files=FILES),
    tree("add-archive", SCRATCH, "ADD one.tar /x/", files=ARCHIVES),
    tree("add-compressed-archive", SCRATCH, "ADD two.tar.gz /x/", files=ARCHIVES),
    tree("add-false-archive", SCRATCH, "ADD false.tar /x/", files=ARCHIVES),
    tree("add-archives-by-star", SCRATCH, "ADD *.tar* /x/", files=ARCHIVES),
    tree("add-archive-over-base", BASE, "ADD one.tar /", files=ARCHIVES),
    tree("add-unpack-off", SCRATCH, "ADD --unpack=false one.tar /x/", files=ARCHIVES),
    tree("add-unpack-off-compressed", SCRATCH, "ADD --unpack=false two.tar.gz /x", files=ARCHIVES),
    tree("add-unpack-on", SCRATCH, "ADD --unpack=true one.tar /x/", files=ARCHIVES),
    tree("add-chmod", SCRATCH, "ADD --chmod=600 a d /x/", files=FILES),
    tree("add-chmod-program", SCRATCH, "ADD --chmod=0755 a /x", files=FILES),
    tree("add-chmod-heredoc", SCRATCH, "ADD --chmod=711 <<E /x", "text", "E"),
    tree("add-chown", SCRATCH, "ADD --chown=7:8 a d /x/", files=FILES),
    tree("add-chown-archive", SCRATCH, "ADD --chown=7:8 one.tar /x/", files=ARCHIVES),
    tree(
        "add-chown-by-name",
        *(BASE, COPY_ACCOUNTS, "ADD --chown=ada:staff a /x/"),
        files={**FILES, **ACCOUNTS},
    ),
    tree("add-link", SCRATCH, "ADD --link a /x/", files=FILES),
    tree("add-link-archive", SCRATCH, "ADD --link one.tar /x/", files=ARCHIVES),
    tree("add-link-twice", BASE, "ADD --link a /x/", "ADD --link d /x/", files=FILES),
    tree("add-exclude", SCRATCH, "ADD --exclude=*.txt d /x/", files=FILES),
    tree("add-exclude-all-below", SCRATCH, "ADD --exclude=d . /x/", files=FILES),
    tree("add-exclude-double-star", SCRATCH, "ADD --exclude=**/b . /x/", files=FILES),
    tree("add-heredoc", SCRATCH, "ADD <<a <<b /x/", "1", "a", "2", "b"),
    tree("add-to-workdir", SCRATCH, "WORKDIR /w", "ADD a d ./", files=FILES),
)
