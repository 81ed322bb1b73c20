"""Is what was found of an image what its structure test demands?"""

from __future__ import annotations

import shlex
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from pants_docker_buildkit.dockerfile.go_expression import GoExpression
from pants_docker_buildkit.image_tests.dockerfile_text import (
    DEBIAN_DIRECTORY,
    DEBIAN_DOCUMENTS,
    FILES_DIRECTORY,
    command_steps,
    license_files,
)
from pants_docker_buildkit.image_tests.outcome import Outcome
from pants_docker_buildkit.image_tests.structure import (
    CommandTest,
    FileContentTest,
    FileExistenceTest,
    LicenseTest,
    MetadataTest,
    StructureTest,
    Variable,
)
from pants_docker_buildkit.oci.image_config import ImageConfig

_MAX_SHOWN = 2000
_EXECUTABLE_BITS = {"owner": 0o100, "group": 0o010, "other": 0o001, "any": 0o111}

# What container-structure-test allows and does not.
_ALLOWED_PACKAGES = ("libgnutls30",)
_REFUSED_LICENSES = ("AGPL", "WTFPL")

_GO_TYPES: Mapping[int, str] = {
    stat.S_IFDIR: "d",
    stat.S_IFLNK: "L",
    stat.S_IFBLK: "D",
    stat.S_IFCHR: "Dc",
    stat.S_IFIFO: "p",
    stat.S_IFSOCK: "S",
}


def judge(test: StructureTest, config: ImageConfig, results: Path) -> tuple[Outcome, ...]:
    """What came of each test. `results` is what the build of its Dockerfile left."""
    files = results / FILES_DIRECTORY
    outcomes = [
        Outcome("command", command.name, *_judge_command(command, results / f"command-{number}"))
        for number, command in enumerate(test.commands)
    ]
    outcomes += (
        Outcome("file existence", each.name, tuple(_judge_existence(each, found)))
        for number, each in enumerate(test.existence)
        for found in (_read(files / f"existence-{number}.stat"),)
    )
    outcomes += (
        Outcome("file content", each.name, tuple(_judge_content(each, files / f"content-{number}")))
        for number, each in enumerate(test.contents)
    )
    outcomes += (
        Outcome("license", _license_name(each), tuple(_judge_license(each, test, files)))
        for each in test.licenses
    )
    outcomes += (
        Outcome("metadata", "metadata", tuple(_judge_metadata(each, config)))
        for each in test.metadata
    )
    return tuple(outcomes)


def _read(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "replace")


def _shown(text: str) -> str:
    """A text in a message: the end of it, where it is long."""
    cut = "…" if len(text) > _MAX_SHOWN else ""
    return f"{cut}{text[-_MAX_SHOWN:]!r}"


def _judge_command(command: CommandTest, results: Path) -> tuple[tuple[str, ...], str, str]:
    """What is wrong with it, what it wrote, and what it complained of."""
    problems: list[str] = []
    output, error = "", ""
    for name, words in command_steps(command):
        code = int(_read(results / f"{name}.code"))
        out, err = _read(results / f"{name}.out"), _read(results / f"{name}.err")
        if name != "command":
            if code != 0:
                step = name.partition("-")[0]
                shown = f"{step} '{shlex.join(words)}'"
                problems.append(f"{shown} ended with exit code {code}: {_shown(err or out)}")
            continue
        output, error = out, err
        if code != command.exit_code:
            problems.append(f"exitCode: expected {command.exit_code}, but it was {code}")
        problems += _search("expectedOutput", command.expected_output, out, is_expected=True)
        problems += _search("excludedOutput", command.excluded_output, out, is_expected=False)
        problems += _search("expectedError", command.expected_error, err, is_expected=True)
        problems += _search("excludedError", command.excluded_error, err, is_expected=False)
    return tuple(problems), output[-_MAX_SHOWN:], error[-_MAX_SHOWN:]


def _search(
    field: str, expressions: Iterable[str], text: str, *, is_expected: bool
) -> Iterator[str]:
    for each in expressions:
        if GoExpression(each).matches(text) != is_expected:
            finding = "is not found" if is_expected else "is found"
            yield f"{field}: {each!r} {finding} in {_shown(text)}"


def go_mode(mode: int) -> str:
    """The mode of a file as Go writes it (`fs.FileMode.String`)."""
    special = ((stat.S_ISUID, "u"), (stat.S_ISGID, "g"), (stat.S_ISVTX, "t"))
    kind = _GO_TYPES.get(stat.S_IFMT(mode), "")
    # A character device has its second letter last.
    first = kind[:1] + "".join(letter for bit, letter in special if mode & bit) + kind[1:]
    bits = "".join(
        letter if mode & (0o400 >> place) else "-" for place, letter in enumerate("rwxrwxrwx")
    )
    return (first or "-") + bits


def _judge_existence(test: FileExistenceTest, found: str) -> Iterator[str]:
    if not found.strip():
        if test.should_exist:
            yield f"{test.path} must exist, but it does not"
        return
    if not test.should_exist:
        yield f"{test.path} must not exist, but it does"
        return
    raw, uid, gid = found.split()
    mode = int(raw, 16)
    written = go_mode(mode)
    if test.permissions and test.permissions not in (written, stat.filemode(mode)):
        yield f"permissions: {test.path} must have {test.permissions}, but it has {written}"
    if test.executable_by and not mode & _EXECUTABLE_BITS[test.executable_by]:
        yield (
            f"isExecutableBy: {test.path} must be executable by {test.executable_by}, but it has"
            f" {written}"
        )
    for field, wanted, owner in (("uid", test.uid, uid), ("gid", test.gid, gid)):
        if wanted is not None and wanted != int(owner):
            yield f"{field}: {test.path} must have {wanted}, but it has {owner}"


def _judge_content(test: FileContentTest, result: Path) -> Iterator[str]:
    content = result.with_name(f"{result.name}.content")
    if not content.exists():
        yield _not_a_file(test.path, result)
        return
    text = _read(content)
    yield from _search("expectedContents", test.expected, text, is_expected=True)
    yield from _search("excludedContents", test.excluded, text, is_expected=False)


def _not_a_file(path: str, result: Path) -> str:
    is_directory = result.with_name(f"{result.name}.directory").exists()
    return f"{path} must be a file, but it {'is a directory' if is_directory else 'does not exist'}"


def _license_name(test: LicenseTest) -> str:
    names = ["Debian's packages"] if test.debian else []
    return ", ".join([*names, *test.files]) or "nothing"


def _judge_license(test: LicenseTest, whole: StructureTest, files: Path) -> Iterator[str]:
    if test.debian:
        packages = files / DEBIAN_DIRECTORY
        if not packages.exists():
            yield f"{DEBIAN_DOCUMENTS} must have the licenses of packages, but has none"
            return
        for package in sorted(packages.iterdir()):
            if package.name not in _ALLOWED_PACKAGES:
                path = f"{DEBIAN_DOCUMENTS}/{package.name}/copyright"
                yield from _judge_license_file(path, package / "copyright")
    numbers = {path: number for number, path in enumerate(license_files(whole))}
    for path in test.files:
        yield from _judge_license_file(path, files / f"license-{numbers[path]}")


def _judge_license_file(path: str, result: Path) -> Iterator[str]:
    content = result.with_name(f"{result.name}.content")
    if not content.exists():
        yield _not_a_file(path, result)
        return
    text = _read(content).upper()
    for each in _REFUSED_LICENSES:
        if each in text:
            yield f"{path} must not name the license {each}, but it does"


def _judge_metadata(test: MetadataTest, config: ImageConfig) -> Iterator[str]:
    yield from _judge_variables("envVars", test.env, config.env)
    yield from _judge_variables("labels", test.labels, config.labels)
    for key in test.unbound_env:
        if key in config.env:
            yield f"unboundEnvVars: {key} must not be set, but it is {config.env[key]!r}"
    for field, wanted_list, found_list in (
        ("entrypoint", test.entrypoint, config.entrypoint),
        ("cmd", test.cmd, config.cmd),
    ):
        if wanted_list is not None and wanted_list != found_list:
            yield f"{field}: it must be {list(wanted_list)}, but it is {list(found_list)}"
    for field, wanted, found in (
        ("workdir", test.workdir, config.workdir),
        ("user", test.user, config.user),
    ):
        if wanted and wanted != found:
            yield f"{field}: it must be {wanted!r}, but it is {found!r}"
    yield from _judge_names(
        "exposedPorts",
        "unexposedPorts",
        test.exposed_ports,
        test.unexposed_ports,
        config.ports,
        _is_port,
    )
    yield from _judge_names(
        "volumes",
        "unmountedVolumes",
        test.volumes,
        test.unmounted_volumes,
        config.volumes,
        str.__eq__,
    )


def _judge_variables(
    field: str, wanted: Iterable[Variable], found: Mapping[str, str]
) -> Iterator[str]:
    for each in wanted:
        value = found.get(each.key)
        if value is None:
            yield f"{field}: {each.key} must be set, but it is not"
        elif each.is_regex and not GoExpression(each.value).matches(value):
            yield f"{field}: {each.key} must match {each.value!r}, but it is {value!r}"
        elif not each.is_regex and value != each.value:
            yield f"{field}: {each.key} must be {each.value!r}, but it is {value!r}"


def _is_port(wanted: str, found: str) -> bool:
    """Whether it is the port, which may be named without its protocol."""
    return found == wanted or ("/" not in wanted and found.partition("/")[0] == wanted)


def _judge_names(
    field: str,
    opposite: str,
    wanted: Iterable[str],
    unwanted: Iterable[str],
    found: tuple[str, ...],
    is_same: Callable[[str, str], bool],
) -> Iterator[str]:
    listed = ", ".join(found) or "none"
    for name in wanted:
        if not any(is_same(name, each) for each in found):
            yield f"{field}: {name} must be there, but there is {listed}"
    for name in unwanted:
        if any(is_same(name, each) for each in found):
            yield f"{opposite}: {name} must not be there, but there is {listed}"
