"""Random build contexts with random ignore files, the same ones for the same seed."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from pathlib import Path

from pants_docker_buildkit.dockerfile.context_entries import (
    ContextEntry,
    DirectoryEntry,
    FileEntry,
    SymlinkEntry,
)
from pants_docker_buildkit.dockerfile.ignorefile import IGNORE_FILE_NAME

# Few names, so that patterns hit; the odd ones hold what is special in a pattern or in a regexp.
PLAIN_NAMES = ("a", "b", "ab", "a.b", "foo", "bar", "foo.txt", "bar.py", "src", "docs", "README.md")
ODD_NAMES = (
    *(".git", ".env", "..data", "a b", " lead", "trail ", "#hash", "!bang", "[ab]", "a]", "{a}"),
    *(
        "a{2}",
        "aa",
        "a|b",
        "^a",
        "a$",
        "a+b",
        "(a)",
        "a\\b",
        "a*b",
        "a?",
        "é",
        "日本",
        "☺",
        "-",
        "~",
    ),
    *("a-b", "A", "Foo", "1", "12", "\ufeffbom", "a\xa0", "Dockerfile", "_"),
)
ODD_PATTERN_PARTS = (
    *("[a-c]", "[^a]", "[!a]", "[ab]*", "[[]ab]", "[\\]a]", "[\\-a]", "\\a", "\\*", "\\[ab\\]"),
    *("\\\\", "a|b", "{a}", "a{2}", "a{1,}*", "^a", "a$", ".", "..", "[*]", "[?]b", "[[:alpha:]]"),
    *("[[:^alpha:]b]", "\\d", "\\D*", "\\w", "[\\d]", "[\\W]", "\\b*", "*\\B", "\\x61", "\\x{62}"),
    *(
        "\\141",
        "\\Qa",
        "\\Q*\\E",
        "[a-ζ]",
        "a|*",
        "*|b",
        "?{2}",
        "[^",
        "[b-a]",
        "\\y",
        "\\8",
        "{2}",
    ),
    *("*{2}", "[^/]", "a\\", "[]a]", "[a-]", "[日-本]", "\\é", "\\.", "\\z", "\\A", "☺", "[☺é]"),
)
WILDCARDS = (
    "*",
    "**",
    "?",
    "*.txt",
    "*.py",
    "foo*",
    "*o*",
    "**foo",
    "foo**",
    "a?",
    "?*",
    "***",
    "**.py",
)
# No control characters inside a line: BuildKit fails to send patterns that hold one.
WHITE_SPACE = ("", "", "", " ", "\t", "  ", "\r", "\xa0", "\u2003")


@dataclass(frozen=True)
class ContextCase:
    """A tree, and the content of its ignore file."""

    entries: tuple[ContextEntry, ...]
    ignore_file: bytes

    def write_tree(self, root: Path) -> None:
        """Write the entries below `root`, which must exist."""
        for entry in self.entries:
            write_entry(root, entry)


def random_case(rng: random.Random) -> ContextCase:
    """A tree of up to some forty entries and up to eight patterns, many of which concern it."""
    directories = _random_directories(rng)
    entries = _random_entries(rng, directories)
    paths = sorted({entry.path for entry in entries} | set(directories)) or ["a"]
    lines = [_random_line(rng, paths) for _ in range(rng.randrange(1, 9))]
    content = rng.choice(["\n", "\n", "\r\n"]).join(lines).encode("utf-8")
    if rng.random() < 0.1:
        content = b"\xef\xbb\xbf" + content
    return ContextCase(entries=entries, ignore_file=content + rng.choice([b"", b"\n"]))


def file_entry(path: str, content: bytes, *, is_executable: bool = False) -> FileEntry:
    """The entry of a file with this content."""
    return FileEntry(path, hashlib.sha256(content).hexdigest(), len(content), is_executable)


def write_entry(root: Path, entry: ContextEntry) -> None:
    """Write an entry below `root`; a file holds its own path, as those of `random_case` do."""
    path = root / entry.path
    if isinstance(entry, DirectoryEntry):
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(entry, SymlinkEntry):
        path.symlink_to(entry.target)
        return
    path.write_bytes(entry.path.encode("utf-8"))
    path.chmod(0o755 if entry.is_executable else 0o644)


def _random_name(rng: random.Random) -> str:
    return rng.choice(PLAIN_NAMES if rng.random() < 0.7 else ODD_NAMES)


def _random_directories(rng: random.Random) -> list[str]:
    directories: list[str] = []
    for _ in range(rng.randrange(0, 12)):
        parent = rng.choice(["", "", *directories])
        path = f"{parent}/{_random_name(rng)}".lstrip("/")
        if path.count("/") < 5 and path not in directories:
            directories.append(path)
    return directories


def _random_entries(rng: random.Random, directories: list[str]) -> tuple[ContextEntry, ...]:
    entries: dict[str, ContextEntry] = {}
    for _ in range(rng.randrange(1, 30)):
        path = f"{rng.choice(['', *directories])}/{_random_name(rng)}".lstrip("/")
        if path in directories or path == IGNORE_FILE_NAME:
            continue
        if rng.random() < 0.12:
            entries[path] = SymlinkEntry(
                path, rng.choice(["a", "../b", "/etc/passwd", "gone", ".", "é x"])
            )
        else:
            content = path.encode("utf-8")
            entries[path] = file_entry(path, content, is_executable=rng.random() < 0.2)
    occupied = {path[:index] for path in (*entries, *directories) for index in _slashes(path)}
    entries.update({path: DirectoryEntry(path) for path in directories if path not in occupied})
    return tuple(entries[path] for path in sorted(entries))


def _slashes(path: str) -> list[int]:
    return [index for index, char in enumerate(path) if char == "/"]


def _random_line(rng: random.Random, paths: list[str]) -> str:
    if rng.random() < 0.06:
        return rng.choice(
            ["", "# comment", " # no comment", "   ", "#", "!", "! ", "/", ".", "!.", "//"]
        )
    parts = rng.choice(paths).split("/")
    parts = parts[: rng.randrange(1, len(parts) + 1)]
    for index in range(len(parts)):
        chance = rng.random()
        if chance < 0.25:
            parts[index] = rng.choice(WILDCARDS)
        elif chance < 0.32:
            parts[index] = rng.choice(ODD_PATTERN_PARTS)
        elif chance < 0.36:
            parts[index] = rng.choice(["*", "?", "a", "."]) + rng.choice(ODD_PATTERN_PARTS)
        elif chance < 0.44:
            parts[index] = _with_wildcard(rng, parts[index])
    if rng.random() < 0.12:
        parts.insert(rng.randrange(len(parts) + 1), rng.choice(["**", "..", ".", "", "**"]))
    if rng.random() < 0.15:
        parts.append(rng.choice(["*", "**", "", "**/*"]))
    negation = rng.choice(["!", "!", "! "]) if rng.random() < 0.35 else ""
    slash = "/" if rng.random() < 0.1 else ""
    return f"{rng.choice(WHITE_SPACE)}{negation}{slash}{'/'.join(parts)}{rng.choice(WHITE_SPACE)}"


def _with_wildcard(rng: random.Random, name: str) -> str:
    start = rng.randrange(len(name) + 1)
    end = rng.randrange(start, len(name) + 1)
    return f"{name[:start]}{rng.choice(['*', '?', '**', '[a-z]', '[^b]'])}{name[end:]}"
