from __future__ import annotations

from typing import Any

import pytest
from pants.engine.internals.scheduler import ExecutionError
from pants.engine.rules import QueryRule

from pants_docker_buildkit.registry.settings import RegistrySettings
from pants_docker_buildkit.testutil import ImageRunner, create_rule_runner
from pants_docker_buildkit.util_rules.registries import ConfiguredRegistries


@pytest.fixture(scope="module")
def runner() -> ImageRunner:
    return ImageRunner(create_rule_runner(rules=(QueryRule(ConfiguredRegistries, ()),)))


def read(runner: ImageRunner, **entries: dict[str, Any]) -> ConfiguredRegistries:
    runner.set_options(f"registries={entries!r}")
    return runner.runner.request(ConfiguredRegistries, ())


def test_a_path_in_an_address_is_told_from_the_registry(runner: ImageRunner) -> None:
    found = read(runner, a={"address": "ghcr.io"}, b={"address": "https://ghcr.io/org/team/"})
    assert [(each.address, each.path) for each in found.all] == [
        ("ghcr.io", ""),
        ("ghcr.io", "org/team"),
    ]
    for name, alias in (("ghcr.io", "a"), ("ghcr.io/org/team", "b"), ("@b", "b")):
        registry = found.find(name)
        assert registry is not None
        assert registry.alias == alias
    other = found.find("ghcr.io/org")
    assert other is not None
    assert (other.address, other.path, other.alias) == ("ghcr.io", "org", None)


def test_an_account_is_for_the_path_of_its_entry(runner: ImageRunner) -> None:
    account = {"username": "me", "password": "env=TOKEN"}
    found = read(
        runner,
        a={"address": "ghcr.io", **account},
        b={"address": "ghcr.io/org", **account},
        c={"address": "ghcr.io/org", **account, "repositories": ["other"]},
    )
    accounts = [each.account for each in found.all if each.account is not None]
    assert [each.repositories for each in accounts] == [(), ("org",), ("other",)]


def test_entries_of_one_registry_add_up(runner: ImageRunner) -> None:
    found = read(
        runner,
        a={"address": "ghcr.io/a", "insecure": True, "immutable_tags": True},
        b={"address": "ghcr.io/b", "ca_file": "/ca.pem"},
        c={"address": "ghcr.io/c", "digest_tags": False},
        d={"address": "quay.io"},
    )
    assert found.settings == {
        "ghcr.io": RegistrySettings(
            is_plain_http=True, ca_file="/ca.pem", has_immutable_tags=True, has_digest_tags=False
        ),
        "quay.io": RegistrySettings(),
    }


def test_entries_of_one_registry_do_not_contradict_each_other(runner: ImageRunner) -> None:
    with pytest.raises(ExecutionError) as raised:
        read(
            runner,
            a={"address": "ghcr.io/a", "ca_file": "/a.pem"},
            b={"address": "ghcr.io/b", "ca_file": "/b.pem"},
        )
    assert [str(each) for each in raised.value.wrapped_exceptions] == [
        "The option `[docker-buildkit].registries.b.ca_file` must be that of `registries.a`, which"
        " has the same address, but '/b.pem' is not '/a.pem'."
    ]
