"""What a structure test demands of an image: the schema 2.0.0 of container-structure-test.

Documents of schema 1.0.0 say the same in other words, and less of it.

https://github.com/GoogleContainerTools/container-structure-test
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Optional

from pants_docker_buildkit.oci.json_values import decode_written

_SCHEMA = 1
"""Of how tests are run and judged: with another one, all of them run again."""


@dataclass(frozen=True)
class Variable:
    """An environment variable or a label. With `is_regex`, `value` is a Go expression."""

    key: str
    value: str
    is_regex: bool = False


@dataclass(frozen=True)
class CommandTest:
    """What a command must do. `command` has its arguments; `expected_…` are Go expressions."""

    name: str
    command: tuple[str, ...]
    env: tuple[Variable, ...] = ()
    setup: tuple[tuple[str, ...], ...] = ()
    teardown: tuple[tuple[str, ...], ...] = ()
    exit_code: int = 0
    expected_output: tuple[str, ...] = ()
    excluded_output: tuple[str, ...] = ()
    expected_error: tuple[str, ...] = ()
    excluded_error: tuple[str, ...] = ()


@dataclass(frozen=True)
class FileExistenceTest:
    """What a path must be. `executable_by` is `owner`, `group`, `other` or `any`."""

    name: str
    path: str
    should_exist: bool = True
    permissions: str = ""
    uid: Optional[int] = None
    gid: Optional[int] = None
    executable_by: str = ""


@dataclass(frozen=True)
class FileContentTest:
    """Go expressions that must be found in a file, and others that must not."""

    name: str
    path: str
    expected: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()


@dataclass(frozen=True)
class MetadataTest:
    """What the image's configuration must say. `None` and an empty tuple demand nothing."""

    env: tuple[Variable, ...] = ()
    unbound_env: tuple[str, ...] = ()
    labels: tuple[Variable, ...] = ()
    exposed_ports: tuple[str, ...] = ()
    unexposed_ports: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    unmounted_volumes: tuple[str, ...] = ()
    entrypoint: Optional[tuple[str, ...]] = None
    cmd: Optional[tuple[str, ...]] = None
    workdir: str = ""
    user: str = ""


@dataclass(frozen=True)
class LicenseTest:
    """Files that may not name a license which is not allowed; with `debian`, of all packages."""

    debian: bool = False
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class StructureTest:
    """All tests of a document. `user` runs the commands, if it is not the image's."""

    global_env: tuple[Variable, ...] = ()
    commands: tuple[CommandTest, ...] = ()
    existence: tuple[FileExistenceTest, ...] = ()
    contents: tuple[FileContentTest, ...] = ()
    metadata: tuple[MetadataTest, ...] = ()
    licenses: tuple[LicenseTest, ...] = ()
    user: str = ""

    @property
    def reads_files(self) -> bool:
        """Whether a test looks into the image's file system."""
        return bool(self.existence or self.contents or self.licenses)

    def to_json(self) -> bytes:
        """The same bytes for equal tests."""
        return json.dumps({"schema": _SCHEMA, **asdict(self)}, indent=1, sort_keys=True).encode()


def parse_structure_test(text: bytes) -> StructureTest:
    """The tests that `StructureTest.to_json` wrote. Raises `InvalidJsonError`."""
    return decode_written(StructureTest, text)
