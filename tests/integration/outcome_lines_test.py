"""Promise 7: every image ends in one line that says what was done for it, and why."""

from __future__ import annotations

import re

from tests.integration.workbench.machine import Machine, repository_settings
from tests.integration.workbench.registry import Registry

PRINTED_LINES = 40
QUESTION = "Starting: Look up the image of app:image"


def test_every_image_ends_in_a_line_with_the_reason(
    machine: Machine, registry: Registry, repository: str, busybox: str
) -> None:
    checkout = machine.checkout(
        "checkout",
        {
            "pants.toml": repository_settings(registry.address, repository),
            "app/BUILD": "files(name='files', sources=['*.txt'])\n"
            "docker_buildkit_image(name='image', dependencies=[':files'],"
            " extra_build_args=['MODE=one'])",
            "app/Dockerfile": f"FROM {busybox}\nARG MODE\nRUN echo {repository} $MODE > /mode\n"
            "COPY app /copied\n",
            "app/a.txt": "a\n",
        },
    )
    pinned = rf"{registry.address}/{repository}/app@sha256:[0-9a-f]{{64}}"

    outputs = []

    def line_after(*edits: tuple[str, str, str]) -> str:
        for edit in edits:
            checkout.replace(*edit)
        run = checkout.pants("-ldebug", "package", "::", pantsd=True)
        assert "<unknown>" not in run.output
        outputs.append(run.output)
        # Pants 2.31 has lines of its own for what it schedules, which may name an image, too.
        (line,) = [line for line in run.output.splitlines() if re.match(r"  \S.*@sha256:", line)]
        return line

    def built(reason: str) -> object:
        return Matches(rf"  built \({reason}\): {pinned}")

    assert line_after() == built("no build is remembered on this machine")
    assert line_after() == Matches(f"  unchanged: {pinned}")
    assert line_after(("app/a.txt", "a", "b")) == built("app/a.txt changed")
    checkout.write({"app/c.txt": "c\n"})
    assert line_after() == built("app/c.txt added")
    assert line_after(("app/BUILD", "MODE=one", "MODE=two")) == built("build arg MODE changed")
    assert line_after(("app/Dockerfile", "echo", "echo very")) == built("Dockerfile line 3 changed")
    both = (("app/a.txt", "b", "c"), ("app/BUILD", "MODE=two", "MODE=three"))
    assert line_after(*both) == built("build arg MODE changed, app/a.txt changed")
    back = (("app/a.txt", "c", "b"), ("app/BUILD", "MODE=three", "MODE=two"))
    assert line_after(*back) == Matches(f"  restored: {pinned}")
    assert QUESTION not in "".join(outputs)
    assert "Bring the context" not in "".join(outputs)
    assert "Starting: Build app:image" not in outputs[-1]


def test_caches_are_asked_first_where_much_would_be_laid_out_for_an_image_they_may_have(
    machine: Machine, registry: Registry, repository: str
) -> None:
    files = {
        "pants.toml": repository_settings(registry.address, repository),
        "app/BUILD": "file(name='file', source='a.txt')\n"
        "docker_buildkit_image(name='image', dependencies=[':file'])\n",
        "app/Dockerfile": "FROM scratch\nCOPY app/a.txt /\n",
        "app/a.txt": repository * 4096,
    }
    for name, is_built in (("first", True), ("second", False)):
        run = machine.checkout(name, files).pants("-ldebug", "package", "::")
        assert len(run.builds) == is_built
        # Where a build is not remembered, by a process of its own.
        assert run.output.count(QUESTION) == is_built
        assert ("Starting: Bring the context of app:image" in run.output) == is_built


class Matches:
    """Equal to what a regular expression matches, so that a failure shows both."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and re.fullmatch(self.pattern, other) is not None

    def __hash__(self) -> int:
        return hash(self.pattern)

    def __repr__(self) -> str:
        return self.pattern


def test_a_failed_build_shows_the_dockerfile_line_and_the_end_of_the_output(
    machine: Machine, registry: Registry, repository: str, busybox: str
) -> None:
    script = f"for i in $(seq {PRINTED_LINES}); do echo line-$i; done; echo oh-dear >&2"
    checkout = machine.checkout(
        "checkout",
        {
            "pants.toml": repository_settings(registry.address, repository),
            "app/BUILD": "docker_buildkit_image(name='image')",
            "app/Dockerfile": f"FROM {busybox}\nRUN echo {repository}\nRUN {script}; exit 7\n",
        },
    )
    # A failure is remembered by nothing: neither by the daemon, nor for other options.
    for options in ((), (), ("--docker-buildkit-progress=plain",)):
        run = checkout.pants("package", "::", *options, pantsd=True, may_fail=True)
        assert run.exit_code == 1
        assert len(run.builds) == 1
        assert "Building app:image failed" in run.output
        assert "   3 | >>> RUN for i in" in run.output
        assert "exit code: 7" in run.output
        assert f"line-{PRINTED_LINES}" in run.output
        assert "oh-dear" in run.output
        assert "<unknown>" not in run.output
        assert "Traceback" not in run.output
        assert not (checkout.directory / "dist").exists()

    checkout.replace("app/Dockerfile", "; exit 7", "")
    for pantsd in (True, False):
        checkout.replace("app/Dockerfile", "echo oh", "echo oh-oh")
        run = checkout.pants("package", "::", "--docker-buildkit-progress=plain", pantsd=pantsd)
        assert run.kinds == {"app:image": "built"}
        steps, _, after = run.output.partition("Completed: Build app:image")
        assert f"line-{PRINTED_LINES}" in steps
        # Nothing of a build comes after the line that says it has ended.
        assert "] app:image " in steps
        assert "] app:image " not in after
