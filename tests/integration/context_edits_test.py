"""Whatever is edited arrives at a builder, no more than that is sent, and steps compile it again.

Random edits of a context, each built by the program that Pants starts, on a real builder. What
Pants does before it, bringing files and giving the permit, is done here.
"""

from __future__ import annotations

import io
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tarfile
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from pants_docker_buildkit.oci.digest import sha256_digest
from pants_docker_buildkit.session.context_files import (
    DIRECTORY,
    FILE,
    LINK,
    PROGRAM,
    ContextPath,
    parse_row,
    write_contents,
)
from pants_docker_buildkit.session.directory import (
    BUILD_COMMAND,
    EXIT_CONTEXT_NEEDED,
    PROGRESS_FILE,
    deliveries_path,
    permit_path,
)
from pants_docker_buildkit.session.profile import BuildSettings
from pants_docker_buildkit.session.testing.context_rows import to_rows
from pants_docker_buildkit.session.testing.fake_session import FakeSession
from pants_docker_buildkit.solver.context_memory import (
    CONTEXTS_DIRECTORY,
    Known,
    files_to_bring,
    memory_path,
    read_lying,
)
from pants_docker_buildkit.solver.definition import (
    BuildDefinition,
    BuildJob,
    ContextKind,
    NamedContext,
    PinnedSource,
)
from pants_docker_buildkit.solver.input_tree import DOCKERFILE, JOB_FILE, OUTPUT_LAYOUT, ROOT
from pants_docker_buildkit.testing.processes import wait_until
from tests.integration.conftest import Machines
from tests.integration.workbench.base_image import plain_docker
from tests.integration.workbench.machine import Machine
from tests.integration.workbench.registry import Registry
from tests.integration.workbench.required import plugin_sources

KEY = "0123abcd"
BUILD = (BUILD_COMMAND, KEY, "0")
SIZE = 20_000
EDITS = 18
BYTES_FOR_A_PATH = 300
SECOND = 10**9

DOCKERFILE_TEXT = """\
FROM {busybox}
COPY {copied} /src
RUN --mount=type=cache,id={cache},target=/{cache} \\
  mkdir /out && cd /src && find . -type f | while read f; do \\
    o=/{cache}/$(echo $f | tr / _); \\
    if [ ! -e $o ] || [ $f -nt $o ]; then sha256sum <$f >$o; fi; \\
    mkdir -p /out/$(dirname $f) && cp $o /out/$f; \\
  done
"""
"""Its step compiles as make does: what is older than its object is not compiled again.

The name of its cache is in its text: BuildKit leaves `id` out of a step's key, and would take what
another test compiled of the same files.
"""

KINDS = ("content", "size", "mode", "swap", "back", "remove", "add", "link", "kind")
"""Changes that a builder could miss."""

_SENT = re.compile(r"\[(?:internal|context \w+)\] DONE \S+, (?P<bytes>\d+) bytes sent")

Tree = Mapping[str, str]
"""What files say, where links lead (`-> `), by path. One that ends with `*` is a program."""


class Builds:
    """Builds of one image on one machine.

    What is copied is the build context, or the context `named`: by its name a builder tells of it.
    """

    def __init__(
        self, directory: Path, machine: Machine, base: PinnedSource, cache: str, named: str = ""
    ) -> None:
        self.name = f"context-{uuid.uuid4().hex[:16]}"
        self.root = directory
        self.contexts = directory / CONTEXTS_DIRECTORY
        self._machine = machine
        self._cache = cache
        self._base = base
        reference = base.identifier.partition("://")[2]
        self._dockerfile = DOCKERFILE_TEXT.format(
            busybox=reference, cache=cache, copied=f"--from={named} ." if named else "."
        )
        self._named = (
            (NamedContext(named, ContextKind.FILES, directory=f"contexts/{named}"),)
            if named
            else ()
        )
        self._number = 0

    @property
    def place(self) -> str:
        """Where the files lie that are edited, below the directory of this image."""
        return self._named[0].directory if self._named else self.name

    def start(self, tree: Tree) -> Build:
        """A build in a session of its own."""
        self._number += 1
        sandbox = self.root / str(self._number)
        (sandbox / ROOT / DOCKERFILE).parent.mkdir(parents=True)
        (sandbox / ROOT / DOCKERFILE).write_text(self._dockerfile)
        definition = BuildDefinition(
            "", "", ("linux/amd64",), "oci", sources=(self._base,), named_contexts=self._named
        )
        (sandbox / ROOT / JOB_FILE).write_bytes(BuildJob("blake3:0", definition, ()).to_json())
        session = FakeSession(self.root / f"session-{self._number}")
        session.be(None, **self._machine.environment)
        session.add_build(KEY, BuildSettings("app:image", self.name, progress="plain"))
        # Or `COPY` comes from what another test built, with the times that files had there.
        return Build(self, {**tree, "cache": self._cache}, sandbox, session.directory)

    def lose_memory(self) -> None:
        """Forget what lies in the contexts, and since when."""
        memory_path(self.contexts, self.name).unlink()

    def lose_contexts(self) -> None:
        """Lose all that this machine keeps of contexts, also when it built last."""
        shutil.rmtree(self.contexts)
        # So nothing says that files have to be younger than this second, in which a step compiled.
        second = int(time.time())
        wait_until(lambda: int(time.time()) > second)

    def run(self, tree: Tree) -> Build:
        """A build that is done."""
        build = self.start(tree)
        for _ in range(3):
            build.bring()
            if build.wait(build.begin()) == 0:
                return build
        raise AssertionError("its context is never there")


class Build:
    """One build: its session, its sandbox, and what came of it."""

    def __init__(self, builds: Builds, tree: Tree, sandbox: Path, session: Path) -> None:
        self._builds = builds
        self._tree = tree
        self._sandbox = sandbox
        self._session = session
        self._deliveries = 0

    def bring(self) -> None:
        """What `util_rules/contexts.py` does."""
        name = self._builds.name
        place = self._builds.place
        contents = {name: ContextPath(DIRECTORY)}
        contents.update((f"{place}/{path}", each) for path, each in contents_of(self._tree))
        memory = read_lying(memory_path(self._builds.contexts, name), 1 << 62)
        self._deliveries += 1
        delivery = deliveries_path(self._session, KEY, 0) / str(self._deliveries)
        rows = to_rows(contents)
        for path in files_to_bring(rows, memory):
            (delivery / path).parent.mkdir(parents=True, exist_ok=True)
            inside = path[len(place) + 1 :]
            text = self._tree.get(inside, self._tree.get(f"{inside}*"))
            assert text is not None
            (delivery / path).write_text(text)
        write_contents(permit_path(self._session, KEY, 0), rows)

    def begin(self) -> subprocess.Popen[bytes]:
        program = (
            "import sys; from tests.integration.context_edits_test import switch_off;"
            " from pants_docker_buildkit.solver.main import main;"
            " switch_off(sys.argv[1]); sys.exit(main(*sys.argv[2:]))"
        )
        paths = (plugin_sources(), Path(__file__).parents[2])
        return subprocess.Popen(
            [
                sys.executable,
                "-c",
                program,
                TIMES["now"],
                str(self._session),
                BUILD_COMMAND,
                KEY,
                "0",
            ],
            cwd=self._sandbox,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def wait(self, process: subprocess.Popen[bytes]) -> int:
        _, said = process.communicate(timeout=300)
        assert process.returncode in (0, EXIT_CONTEXT_NEEDED), said.decode()
        return process.returncode

    @property
    def sent(self) -> int:
        """The bytes of contexts that the builder was sent."""
        return sum(int(each["bytes"]) for each in _SENT.finditer(self.said))

    @property
    def said(self) -> str:
        """What was shown of it."""
        return (self._session / PROGRESS_FILE).read_text()

    def check(self) -> None:
        """The image has the context, and of each file what is compiled of that."""
        image = read_image(self._sandbox / OUTPUT_LAYOUT)
        wanted = {}
        for path, text in self._tree.items():
            name = path.rstrip("*")
            if text.startswith("-> "):
                wanted[f"src/{name}"] = text
                continue
            wanted[f"src/{name}"] = f"{'755' if path.endswith('*') else '644'} {text}"
            compiled = f"{sha256_digest(text.encode()).partition(':')[2]}  -\n"
            wanted[f"out/{name}"] = f"644 {compiled}"
        for part in ("src/", "out/"):
            found = {path: text for path, text in image.items() if path.startswith(part)}
            assert found == {
                path: text for path, text in wanted.items() if path.startswith(part)
            }, part


def contents_of(tree: Tree) -> list[tuple[str, ContextPath]]:
    found = []
    for path, text in tree.items():
        if text.startswith("-> "):
            found.append((path, ContextPath(LINK, text[3:])))
        else:
            kind = PROGRAM if path.endswith("*") else FILE
            sha256 = sha256_digest(text.encode()).partition(":")[2]
            found.append((path.rstrip("*"), ContextPath(kind, sha256, len(text))))
    return found


def read_image(layout: Path) -> dict[str, str]:
    """What lies below `src` and `out`: the mode and text of files, and where links lead."""

    def read(digest: str) -> bytes:
        return (layout / "blobs" / digest.replace(":", "/")).read_bytes()

    (manifest,) = json.loads((layout / "index.json").read_text())["manifests"]
    found = {}
    for layer in json.loads(read(manifest["digest"]))["layers"]:
        with tarfile.open(fileobj=io.BytesIO(read(layer["digest"]))) as archive:
            for member in archive:
                if not member.name.startswith(("src/", "out/")):
                    continue
                if member.issym():
                    found[member.name] = f"-> {member.linkname}"
                elif member.isfile():
                    file = archive.extractfile(member)
                    assert file is not None
                    found[member.name] = f"{member.mode:o} {file.read().decode()}"
    return found


TIMES = {"now": ""}
"""Which defence is switched off in the program."""


def switch_off(what: str) -> None:
    """Give files a constant time, or one of their content alone."""
    if what == "constant":
        Known.time = property(lambda _: SECOND)  # type: ignore[assignment, method-assign]
    elif what == "of content":
        Known.time = property(  # type: ignore[assignment, method-assign]
            lambda known: int(hash_of(known)[-15:], 16) % (10**9 * SECOND)
        )


def hash_of(known: Known) -> str:
    return sha256_digest(parse_row(known.row)[1].value.encode())


def text_of(edits: random.Random, size: int = SIZE) -> str:
    return f"{edits.randrange(10**6):06}" * (size // 6)


def edit(tree: dict[str, str], edits: random.Random, past: list[dict[str, str]], kind: str) -> None:
    """One change, of one of `KINDS`."""
    files = sorted(path for path, text in tree.items() if not text.startswith("-> "))
    first, second = edits.sample(files, 2)
    if kind == "content":
        tree[first] = text_of(edits)
    elif kind == "size":
        tree[first] = text_of(edits, edits.randrange(SIZE))
    elif kind == "mode":
        other = first.rstrip("*") if first.endswith("*") else f"{first}*"
        tree[other] = tree.pop(first)
    elif kind == "swap":
        tree[first], tree[second] = tree[second], tree[first]
    elif kind == "back":
        tree.clear()
        tree.update(edits.choice(past))
    elif kind == "remove":
        del tree[first]
    elif kind == "add":
        tree[f"added/{edits.randrange(10**6)}"] = text_of(edits)
    elif kind == "link":
        tree["link"] = f"-> {first.rstrip('*')}"
    elif not any(path.startswith("kind/") for path in tree):
        tree.pop("kind", None)
        tree["kind/inner"] = text_of(edits)
    else:
        tree.pop("kind/inner")
        tree["kind"] = text_of(edits)


def build_random_edits(builds: Builds, seed: int, count: int) -> None:
    """Check each build. Raises `AssertionError` for the first that is wrong."""
    edits = random.Random(seed)
    tree = {f"d{number % 3}/{number}": text_of(edits) for number in range(20)}
    past: list[dict[str, str]] = []
    before: dict[str, str] = {}
    kinds = [kind for kind in KINDS for _ in range(count // len(KINDS))]
    edits.shuffle(kinds)
    for kind in kinds:
        build = builds.run(tree)
        build.check()
        changed = [path for path, text in tree.items() if before.get(path) != text]
        content = sum(len(tree[path]) for path in changed if not tree[path].startswith("-> "))
        most = content + BYTES_FOR_A_PATH * len(tree) + 1000
        # BuildKit may leave out the last number of a transfer that is done at once.
        assert build.sent <= most, (changed, build.said)
        before = dict(tree)
        past.append(before)
        edit(tree, edits, past, kind)


@pytest.fixture
def base(busybox: str, registry: Registry) -> PinnedSource:
    return PinnedSource.image(busybox, f"{busybox}@{registry.digest(busybox)}")


@pytest.fixture
def builds(machine: Machine, tmp_path: Path, base: PinnedSource) -> Builds:
    return Builds(tmp_path / "builds", machine, base, uuid.uuid4().hex)


def test_random_edits_arrive_and_nothing_else_is_sent(builds: Builds) -> None:
    build_random_edits(builds, 20261126, EDITS)


@pytest.mark.parametrize(("times", "missed"), [("constant", "src/"), ("of content", "out/")])
def test_with_other_times_an_edit_is_missed(
    builds: Builds, monkeypatch: pytest.MonkeyPatch, times: str, missed: str
) -> None:
    monkeypatch.setitem(TIMES, "now", times)
    with pytest.raises(AssertionError, match=f"^{missed}\n"):
        build_random_edits(builds, 20261126, EDITS)


def has_copy(named: str) -> bool:
    """Whether the builder has one of a context."""
    return named in plain_docker("buildx", "du", "--verbose", *copies_of(named))


def copies_of(named: str) -> tuple[str, ...]:
    """Filters, which all have to match."""
    return ("--filter", "type=source.local", "--filter", f"description~={named}")


def lose_copy(named: str) -> None:
    """Let the builder remove its copy of a context, and no other test's, as its clean-up does."""
    assert has_copy(named)

    def is_lost() -> bool:
        plain_docker("buildx", "prune", "--force", "--all", *copies_of(named))
        return not has_copy(named)

    # One that was just used may be in use for a moment.
    wait_until(is_lost)


def test_what_was_lost_is_sent_again_and_each_edit_arrives(
    machine: Machine, tmp_path: Path, base: PinnedSource
) -> None:
    named = f"context{uuid.uuid4().hex}"
    builds = Builds(tmp_path / "builds", machine, base, uuid.uuid4().hex, named)
    edits = random.Random(2)
    tree = {f"d/{number}": text_of(edits) for number in range(10)}
    builds.run(tree).check()
    losses: tuple[Callable[[], None], ...] = (
        lambda: lose_copy(named),
        builds.lose_memory,
        builds.lose_contexts,
    )
    for lose in losses:
        lose()
        for least, most in ((9 * SIZE, 12 * SIZE), (SIZE // 2, 2 * SIZE)):
            tree["d/1"] = text_of(edits)
            build = builds.run(tree)
            build.check()
            assert least < build.sent < most, build.said


def test_machines_that_share_a_builder_each_build_their_own(
    builds: Builds, machines: Machines, tmp_path: Path, base: PinnedSource
) -> None:
    edits = random.Random(3)
    other = Builds(tmp_path / "others", machines.new("other"), base, uuid.uuid4().hex)
    # The same image of a checkout in the same place.
    other.name = builds.name
    trees = [{f"d/{number}": text_of(edits) for number in range(10)}] * 2
    for number in range(2):
        for which, each in enumerate((builds, other)):
            trees[which] = {**trees[which], "d/1": text_of(edits)}
            build = each.run(trees[which])
            build.check()
            assert number == 0 or build.sent < 2 * SIZE, build.said


def test_two_sessions_at_once_each_build_their_own(builds: Builds) -> None:
    edits = random.Random(1)
    tree = {f"d/{number}": text_of(edits) for number in range(10)}
    builds.run(tree).check()
    for number in range(3):
        started = [builds.start({**tree, "d/1": text_of(edits)}) for _ in range(2)]
        waiting = list(started)
        for build in waiting:
            build.bring()
        while waiting:
            processes = [(build, build.begin()) for build in waiting]
            waiting = [build for build, process in processes if build.wait(process)]
            for build in waiting:
                build.bring()
        for build in started:
            build.check()
        assert number < 3
