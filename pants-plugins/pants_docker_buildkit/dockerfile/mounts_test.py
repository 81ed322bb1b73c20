from __future__ import annotations

import pytest

from pants_docker_buildkit.dockerfile.instruction import Flag, Instruction
from pants_docker_buildkit.dockerfile.mounts import Mount, MountType, mount_origins, parse_mounts


def run(*mounts: str) -> Instruction:
    return Instruction("RUN", "", 7, 7, flags=tuple(Flag("mount", mount) for mount in mounts))


def parse(*mounts: str) -> tuple[Mount, ...]:
    return parse_mounts(
        run(*mounts), lambda text: None if "$Y" in text else text.replace("$X", "x")
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("target=/t", Mount(MountType.BIND)),
        ("type=CACHE,source=$X", Mount(MountType.CACHE, source="x")),
        ("from=a,src=/s,destination=/t,ro", Mount(MountType.BIND, "a", "/s")),
        ('"target=/a,b","src=c""d"', Mount(MountType.BIND, source='c"d')),
        ("type=secret,id=s,required,env=S", Mount(MountType.SECRET)),
    ],
)
def test_a_mount_is_read(text: str, expected: Mount) -> None:
    assert parse(text) == (expected,)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("type=disk,target=/t", Mount(None)),
        ("type=$Y,from=a", Mount(None, "a")),
        ("type=bind,source=$Y", Mount(MountType.BIND, source=None)),
        ("type=secret,id=$Y", Mount(MountType.SECRET)),
        ("color=red,source", Mount(MountType.BIND, source="true")),
        ('a"b', Mount(MountType.BIND)),
        ('"a"b,"source=/x', Mount(MountType.BIND, source="/x")),
        ("", Mount(MountType.BIND)),
    ],
)
def test_what_is_not_known_is_left_out(text: str, expected: Mount) -> None:
    assert parse(text) == (expected,)


def test_origins_are_known_before_variables_are() -> None:
    assert mount_origins(run("from=a,target=/x", "target=$X", "from=b,from=c")) == ("a", "", "c")
