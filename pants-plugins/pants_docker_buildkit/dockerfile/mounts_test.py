from __future__ import annotations

import pytest

from pants_docker_buildkit.dockerfile.errors import InvalidMountError
from pants_docker_buildkit.dockerfile.instruction import Flag, Instruction
from pants_docker_buildkit.dockerfile.mounts import (
    Mount,
    MountType,
    check_mounts,
    mount_origins,
    parse_mounts,
)


def run(*mounts: str) -> Instruction:
    return Instruction("RUN", "", 7, 7, flags=tuple(Flag("mount", mount) for mount in mounts))


def parse(*mounts: str) -> tuple[Mount, ...]:
    return parse_mounts(run(*mounts), lambda text: text.replace("$X", "x"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("target=/t", Mount(MountType.BIND, target="/t")),
        ("type=CACHE,dst=/t,id=$X", Mount(MountType.CACHE, target="/t", id="x")),
        ("from=a,src=/s,destination=/t,ro", Mount(MountType.BIND, "a", "/s", "/t")),
        ('"target=/a,b","src=c""d"', Mount(MountType.BIND, source='c"d', target="/a,b")),
        (
            "type=secret,id=s,required,env=S",
            Mount(MountType.SECRET, id="s", is_required=True),
        ),
    ],
)
def test_a_mount_is_read(text: str, expected: Mount) -> None:
    assert parse(text) == (expected,)


@pytest.mark.parametrize(
    ("text", "identity"),
    [
        ("type=secret,id=s,target=/t", "s"),
        ("type=secret,source=s", "s"),
        ("type=secret,target=/run/t", "t"),
        ("type=ssh", "default"),
        ("type=ssh,id=key", "key"),
    ],
)
def test_secrets_and_agents_have_an_id(text: str, identity: str) -> None:
    assert parse(text)[0].identity == identity


@pytest.mark.parametrize(
    ("text", "requirement"),
    [
        ("type=disk", "have a mount type of 'bind', 'cache', 'tmpfs', 'secret', 'ssh', not 'disk'"),
        ("target", "give the mount option 'target' a value"),
        ("color=red", "not use the mount option 'color'"),
        ("type=secret", "'id' or a 'target'"),
        ("type=secret,id=a,from=b", "not have a 'from'"),
        ("type=secret,id=a,required=maybe", "'true' or 'false'"),
        ('a"b', "quotes only around a whole option"),
        ('"a"b', "quotes only around a whole option"),
        ('"a', "close every quote"),
        ("", "not have an empty mount"),
    ],
)
def test_a_bad_mount_is_refused_with_its_line(text: str, requirement: str) -> None:
    with pytest.raises(InvalidMountError, match="Line 7") as raised:
        parse(text)
    assert requirement in raised.value.requirement


def test_origins_are_known_before_variables_are() -> None:
    assert mount_origins(run("from=a,target=/x", "target=$X", "from=b,from=c")) == ("a", "", "c")


def test_an_origin_has_no_variable() -> None:
    with pytest.raises(InvalidMountError, match="Define a stage with FROM"):
        check_mounts(run("from=$X"))
    check_mounts(run("from=a$"))
