from __future__ import annotations

import stat
from pathlib import Path

import pytest

from pants_docker_buildkit.image_tests.judgement import go_mode, judge
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

CONFIG = ImageConfig.parse(
    b'{"config": {"Env": ["PATH=/bin", "A=b=c"], "Labels": {"l": "1"}, "User": "me", "Cmd": null,'
    b' "ExposedPorts": {"80/tcp": {}, "53/udp": {}}, "Volumes": {"/v": {}}, "WorkingDir": "/w",'
    b' "Entrypoint": ["/e"]}}'
)


def problems(test: StructureTest, results: Path) -> list[str]:
    return [problem for each in judge(test, CONFIG, results) for problem in each.problems]


def write(directory: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return directory


def test_output_and_error_are_told_apart(tmp_path: Path) -> None:
    ended = {
        "command-0/setup-0.code": "2",
        "command-0/setup-0.out": "",
        "command-0/setup-0.err": "no room",
        "command-0/command.code": "3",
        "command-0/command.out": "to the output ☃",
        "command-0/command.err": "to the error",
    }
    command = CommandTest(
        "it",
        ("it",),
        setup=(("make", "room"),),
        exit_code=4,
        expected_output=("error", "☃$"),
        excluded_output=("output",),
        expected_error=("^to the output",),
        excluded_error=("error",),
    )
    assert problems(StructureTest(commands=(command,)), write(tmp_path, ended)) == [
        "setup 'make room' ended with exit code 2: 'no room'",
        "exitCode: expected 4, but it was 3",
        "expectedOutput: 'error' is not found in 'to the output ☃'",
        "excludedOutput: 'output' is found in 'to the output ☃'",
        "expectedError: '^to the output' is not found in 'to the error'",
        "excludedError: 'error' is found in 'to the error'",
    ]


def test_files_are_judged_by_what_was_found(tmp_path: Path) -> None:
    found = {
        "files/existence-0.stat": f"{stat.S_IFREG | 0o4750:x} 1 2",
        "files/existence-1.stat": "",
        "files/existence-2.stat": f"{stat.S_IFDIR | 0o755:x} 0 0",
        "files/content-0.content": "one\ntwo",
        "files/content-1.directory": "",
        "files/license-0.content": "the agpl",
        "files/debian/a/copyright.content": "MIT",
        "files/debian/libgnutls30/copyright.content": "AGPL",
    }
    write(tmp_path, found).joinpath("files/debian/b").mkdir()
    test = StructureTest(
        existence=(
            FileExistenceTest(
                "a", "/a", permissions="-rw-r--r--", uid=0, gid=0, executable_by="other"
            ),
            FileExistenceTest("b", "/b"),
            FileExistenceTest("c", "/c", should_exist=False),
        ),
        contents=(
            FileContentTest("d", "/d", ("^two",), ("one",)),
            FileContentTest("e", "/e"),
            FileContentTest("f", "/f"),
        ),
        licenses=(LicenseTest(debian=True, files=("/l",)),),
    )
    assert problems(test, tmp_path) == [
        "permissions: /a must have -rw-r--r--, but it has urwxr-x---",
        "isExecutableBy: /a must be executable by other, but it has urwxr-x---",
        "uid: /a must have 0, but it has 1",
        "gid: /a must have 0, but it has 2",
        "/b must exist, but it does not",
        "/c must not exist, but it does",
        "expectedContents: '^two' is not found in 'one\\ntwo'",
        "excludedContents: 'one' is found in 'one\\ntwo'",
        "/e must be a file, but it is a directory",
        "/f must be a file, but it does not exist",
        "/usr/share/doc/b/copyright must be a file, but it does not exist",
        "/l must not name the license AGPL, but it does",
    ]


def test_metadata_is_that_of_the_image(tmp_path: Path) -> None:
    good = MetadataTest(
        env=(Variable("A", "^b=", is_regex=True), Variable("PATH", "/bin")),
        unbound_env=("B",),
        labels=(Variable("l", "1"),),
        exposed_ports=("80", "53/udp"),
        unexposed_ports=("8", "53/tcp"),
        volumes=("/v",),
        unmounted_volumes=("/x",),
        entrypoint=("/e",),
        cmd=(),
        workdir="/w",
        user="me",
    )
    assert problems(StructureTest(metadata=(good, MetadataTest())), tmp_path) == []
    bad = MetadataTest(
        env=(Variable("A", "b"), Variable("B", "")),
        unbound_env=("PATH",),
        labels=(Variable("l", "2", is_regex=True),),
        exposed_ports=("81",),
        unexposed_ports=("53",),
        volumes=("/x",),
        unmounted_volumes=("/v",),
        entrypoint=(),
        cmd=("/c",),
        workdir="/",
        user="root",
    )
    assert problems(StructureTest(metadata=(bad,)), tmp_path) == [
        "envVars: A must be 'b', but it is 'b=c'",
        "envVars: B must be set, but it is not",
        "labels: l must match '2', but it is '1'",
        "unboundEnvVars: PATH must not be set, but it is '/bin'",
        "entrypoint: it must be [], but it is ['/e']",
        "cmd: it must be ['/c'], but it is []",
        "workdir: it must be '/', but it is '/w'",
        "user: it must be 'root', but it is 'me'",
        "exposedPorts: 81 must be there, but there is 80/tcp, 53/udp",
        "unexposedPorts: 53 must not be there, but there is 80/tcp, 53/udp",
        "volumes: /x must be there, but there is /v",
        "unmountedVolumes: /v must not be there, but there is /v",
    ]


@pytest.mark.parametrize(
    ("mode", "written"),
    [
        (stat.S_IFREG | 0o644, "-rw-r--r--"),
        (stat.S_IFDIR | stat.S_ISVTX | 0o777, "dtrwxrwxrwx"),
        (stat.S_IFLNK | 0o777, "Lrwxrwxrwx"),
        (stat.S_IFREG | stat.S_ISUID | stat.S_ISGID | 0o755, "ugrwxr-xr-x"),
        (stat.S_IFCHR | 0o666, "Dcrw-rw-rw-"),
        (stat.S_IFBLK | 0o660, "Drw-rw----"),
        (stat.S_IFIFO | 0o600, "prw-------"),
    ],
)
def test_modes_are_written_as_go_does(mode: int, written: str) -> None:
    assert go_mode(mode) == written
