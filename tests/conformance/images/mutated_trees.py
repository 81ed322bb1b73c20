"""The trees that are written down, with random changes of their text, the same for the same seed.

Nobody would write most of them. Many cannot be built, which both ways to build then have to say.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from tests.conformance.images.mutated_fields import (
    with_a_context,
    with_other_fields,
    with_other_files,
)
from tests.conformance.images.tree import Files, Tree
from tests.conformance.images.trees.all_trees import TREES

_ORIGINALS = [tree for tree in TREES if not (tree.refused or tree.on or tree.forced or tree.inline)]
_LINES = [line for tree in _ORIGINALS for line in tree.dockerfile.splitlines()]

_COMMENTS = ("# c", "  # c \\", "#", "\t#x=y", "", "   ")
_BREAKS = ("\\\n", "\\\n ", "\\  \n ", "\\\t\n", "\\\n# c\n", "\\\n\n", "\\\n  # c \\\n")
_DIRECTIVES = (
    *("# escape=`", "# check=skip=all", "# check=error=true", "#escape=\\", "# Escape = ` "),
    *("# syntax=", "#", "# escape=\\\n# check=skip=JSONArgsRecommended", "// syntax=x", "#!/x"),
)
_USES = (
    "${n}",
    "${{{n}}}",
    "${{{n}:-x}}",
    "${{{n}-x}}",
    "${{{n}#y}}",
    "${{{n}/y/z}}",
    "${{{n}:?m}}",
)
_DECLARATIONS = ("ARG {n}={v}", 'ARG {n}="{v}"', "ENV {n}={v}", "ENV {n} {v}", "ARG {n}")
_PATHS = (
    *("./{0}", "/{0}", "{0}/", "../{0}", "{0}*", "{0}?", ".", "{0}/.", "//{0}", "x/../{0}"),
    *("{0} {0}", "./*", "[{0}]", "**/{0}"),
)
_FLAGS = (
    *("--link", "--link=false", "--chmod=0700", "--chmod=u=rw,go=r", "--chown=1:2", "--from=0"),
    *("--parents", "--exclude=a", "--exclude=**/b*", "--parents --exclude=*.txt", "--unpack"),
    *("--unpack=false", "--keep-git-dir", f"--checksum=sha256:{'0' * 64}"),
)
_STEPS = (
    *("RUN <<E\necho $V > /hd\nE", "RUN --mount=target=/m ls /m > /ls", "RUN env > /env"),
    *('RUN ["/bin/sh", "-c", "echo $V > /js"]', "WORKDIR /w$V", "ENV V=v W=$V", "ENV V=${V}x"),
    *("LABEL a.b=\"$V\" 'c d'=e", "USER 3:4", "CMD [\"a\", 'b']", "CMD [ ]", "ENTRYPOINT []"),
    *('SHELL ["/bin/sh", "-ec"]', 'VOLUME ["/v w"]', "EXPOSE 1-3/udp $V", "HEALTHCHECK NONE"),
    *("STOPSIGNAL 9", "MAINTAINER  me  too ", "ARG TARGETARCH\nRUN echo $TARGETARCH > /arch"),
    *("COPY <<'E' <<F /two/\n$V\nE\n$V\nF", "COPY <<-E /tab\n\t\ta\n\tE"),
    "ARG SOURCE_DATE_EPOCH=5\nRUN echo $SOURCE_DATE_EPOCH > /epoch",
)
_PLATFORMS = ("linux/amd64", "$BUILDPLATFORM", "${TARGETPLATFORM}", "linux", "amd64")
_IGNORED = (
    *("*", "!a", "**/b*", "*.txt", "!**/*.txt", "d", "d/", "/d", "!d/", "Dockerfile", "# x", "a b"),
    *("[a-c]", "*/", "!.", "..", "./a", "d/../a", "\\!a", " a ", "**", "!**", "d/**/e", "?"),
)

_Mutation = Callable[[random.Random, list[str]], None]


def _chosen(rng: random.Random, lines: Sequence[str], pattern: str) -> int | None:
    """The index of one of the lines that begin like this."""
    found = [at for at, line in enumerate(lines) if re.match(rf"\s*(?:{pattern})\s", line, re.I)]
    return rng.choice(found) if found else None


def _replace_word(rng: random.Random, line: str, change: Callable[[str], str]) -> str:
    """The line with another word in place of one that is not the first."""
    words = list(re.finditer(r"[^\s\"'\[\],]+", line))[1:]
    if not words:
        return line
    start, end = rng.choice(words).span()
    return line[:start] + change(line[start:end]) + line[end:]


def _case(rng: random.Random, lines: list[str]) -> None:
    at = rng.randrange(len(lines))
    keyword, space, rest = lines[at].partition(" ")
    lines[at] = "".join(rng.choice((each.upper(), each.lower())) for each in keyword) + space + rest


def _insert(texts: Sequence[str]) -> _Mutation:
    return lambda rng, lines: lines.insert(rng.randrange(len(lines) + 1), rng.choice(texts))


def _break(rng: random.Random, lines: list[str]) -> None:
    at = rng.randrange(len(lines))
    parts = lines[at].split(" ")
    place = rng.randrange(len(parts))
    lines[at] = " ".join(parts[:place]) + f" {rng.choice(_BREAKS)}" + " ".join(parts[place:])


def _end_as_on_windows(_: random.Random, lines: list[str]) -> None:
    lines[:] = [line.replace("\n", "\r\n") + "\r" for line in lines]


def _space(rng: random.Random, lines: list[str]) -> None:
    at = rng.randrange(len(lines))
    wider = lines[at].replace(" ", rng.choice((" ", "  ", "\t", " \t ")))
    lines[at] = rng.choice((" ", "\t", "")) + wider + rng.choice((" ", "\t", ""))


def _quote(rng: random.Random, lines: list[str]) -> None:
    at, mark = rng.randrange(len(lines)), rng.choice("\"'")
    middle = rng.randrange(3)
    lines[at] = _replace_word(
        rng, lines[at], lambda word: f"{word[:middle]}{mark}{word[middle:]}{mark}"
    )


def _escape(rng: random.Random, lines: list[str]) -> None:
    at = rng.randrange(len(lines))
    place = rng.randrange(len(lines[at]) + 1)
    lines[at] = f"{lines[at][:place]}\\{lines[at][place:]}"


def _use_variable(rng: random.Random, lines: list[str]) -> None:
    at = rng.randrange(len(lines))
    name = rng.choice(("V", "_v1", "PATH2"))
    replaced: list[str] = []

    def use(word: str) -> str:
        replaced.append(word)
        return rng.choice((*_USES, "${{{n}:+{word}}}")).format(n=name, word=word)

    lines[at] = _replace_word(rng, lines[at], use)
    for word in replaced:
        declaration = rng.choice(_DECLARATIONS).format(n=name, v=word)
        lines.insert(rng.choice((at, at, 0, rng.randrange(at + 1))), declaration)


def _repeat(rng: random.Random, lines: list[str]) -> None:
    lines.insert(rng.randrange(len(lines)), rng.choice(lines))


def _leave_out(rng: random.Random, lines: list[str]) -> None:
    if len(lines) > 2:
        del lines[rng.randrange(len(lines))]


def _swap(rng: random.Random, lines: list[str]) -> None:
    one, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]


def _begin_with(texts: Sequence[str]) -> _Mutation:
    return lambda rng, lines: lines.insert(0, rng.choice(texts))


def _mark_byte_order(_: random.Random, lines: list[str]) -> None:
    lines[0] = f"\ufeff{lines[0]}"


def _change_path(rng: random.Random, lines: list[str]) -> None:
    at = _chosen(rng, lines, "COPY|ADD")
    if at is not None:
        lines[at] = _replace_word(rng, lines[at], lambda word: rng.choice(_PATHS).format(word))


def _add_flag(rng: random.Random, lines: list[str]) -> None:
    at = _chosen(rng, lines, "COPY|ADD")
    if at is not None:
        lines[at] = re.sub(r"(?<=\S)\s", f" {rng.choice(_FLAGS)} ", lines[at], count=1)


def _make_trigger(rng: random.Random, lines: list[str]) -> None:
    at = rng.randrange(len(lines))
    lines[at] = f"ONBUILD {lines[at]}"


def _change_base(rng: random.Random, lines: list[str]) -> None:
    at = _chosen(rng, lines, "FROM")
    if at is None:
        return
    keyword, _, base = lines[at].partition(" ")
    name, _, rest = base.partition(" ")
    how = rng.randrange(5)
    if how == 0:
        lines[at] = f"{keyword} ${{Z:-{name}}} {rest}"
    elif how == 1:
        lines[at] = f"{keyword} $Z {rest}"
        lines.insert(0, f"ARG Z={name}")
    elif how == 2:
        lines[at] = f"{keyword} {name} AS {rng.choice(('x', 'X-1', 'scratch', 'a.b_c', '0'))}"
    elif how == 3:
        lines[at] = f"{keyword} --platform={rng.choice(_PLATFORMS)} {base}"
    else:
        lines.append(f"FROM {name}\nCOPY --from=0 / /zero/")


_MUTATIONS: tuple[_Mutation, ...] = (
    *(_case, _insert(_COMMENTS), _break, _end_as_on_windows, _space, _quote, _quote, _escape),
    *(_use_variable, _use_variable, _use_variable, _repeat, _leave_out, _swap),
    *(_begin_with(_DIRECTIVES), _mark_byte_order, _change_path, _change_path, _make_trigger),
    *(_add_flag, _add_flag, _insert(_STEPS), _insert(_STEPS), _change_base, _change_base),
    *(_insert(_LINES), _insert(_LINES)),
)


def _with_more_ignored(rng: random.Random, files: Files) -> Files:
    name = next((each for each in files if each.endswith("ockerignore")), ".dockerignore")
    written = files.get(name, "")
    if not isinstance(written, str):
        return files
    lines = [*([written] if written else []), *rng.sample(_IGNORED, 2)]
    return {**files, name: rng.choice(("\n", "\r\n")).join(lines) + "\n"}


def with_another_line(rng: random.Random, tree: Tree) -> Tree:
    """The tree with one change of its Dockerfile."""
    lines = tree.dockerfile.splitlines()
    rng.choice(_MUTATIONS)(rng, lines)
    return replace(tree, dockerfile="\n".join(lines) + "\n")


def mutated_tree(seed: int) -> Tree:
    """The tree of a seed, which may be one that cannot be built."""
    rng = random.Random(seed)
    original = rng.choice(_ORIGINALS)
    lines = original.dockerfile.splitlines()
    for _ in range(rng.choice((1, 1, 2, 2, 3, 4))):
        rng.choice(_MUTATIONS)(rng, lines)
    files = original.files
    if rng.random() < 0.15:
        files = _with_more_ignored(rng, files)
    text = "\n".join(lines) + rng.choice(("\n", "\n", ""))
    tree = replace(
        original, name=f"mutated-{seed}", dockerfile=text, files=files, may_be_refused=True
    )
    for share, change in ((0.3, with_other_fields), (0.1, with_a_context), (0.2, with_other_files)):
        if rng.random() < share:
            tree = change(rng, tree)
    return tree
