from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from pants_docker_buildkit.buildx.builder_description import BuilderDescription, NodeDescription
from pants_docker_buildkit.buildx.buildkitd_config import (
    BuildkitdConfig,
    ClientKeyPair,
    GarbageCollection,
    RegistryConfig,
)
from pants_docker_buildkit.oci.json_values import decode
from pants_docker_buildkit.registry.settings import Patience, Reach, RegistrySettings
from pants_docker_buildkit.session.directory import event_path
from pants_docker_buildkit.session.profile import (
    BuildSettings,
    Profile,
)


def through_json(value: Any) -> Any:
    return json.loads(json.dumps(asdict(value)))


def test_a_profile_is_the_same_behind_a_socket() -> None:
    environment = (("HOME", "/root"), ("PATH", "/bin"), ("ODD", 'a "b" ü\n'))
    registry = ("localhost:5000", RegistrySettings(is_plain_http=False, ca_file="/ca.pem"))
    profile = Profile(Reach(environment, (registry,), Patience(read_timeout=5.0)), "docker-28")
    assert decode(Profile, through_json(profile)) == profile


def test_settings_are_the_same_behind_a_socket() -> None:
    settings = BuildSettings(
        target="src/app:image",
        builder="far",
        cache_from=("type=gha",),
        cache_to=("type=registry,ref=a,mode=max",),
        inline_cache_tag="moving",
        secrets=(("token", "env=TOKEN"),),
        ssh=("default",),
        passes_proxies=False,
        progress="plain",
    )
    assert decode(BuildSettings, through_json(settings)) == settings


def test_a_described_builder_is_the_same_behind_a_socket() -> None:
    registry = RegistryConfig("r", ("m",), http=True, keypair=(ClientKeyPair("c", "k"),))
    description = BuilderDescription(
        name="ci",
        driver="docker-container",
        nodes=(NodeDescription("a", ("linux/amd64",), (("image", "b"),)), NodeDescription("b")),
        boot_timeout=60,
        buildkitd=BuildkitdConfig((registry,), GarbageCollection(enabled=True), ("network.host",)),
    )
    for each in (description, replace(description, buildkitd=None, buildkitd_config_file="/b")):
        settings = BuildSettings("src/app:image", builder="ci", described_builder=each)
        assert decode(BuildSettings, through_json(settings)) == settings


def test_events_of_different_builds_lie_apart() -> None:
    session = Path("/session")
    builds = (("a", 0), ("a", 1), ("b", 0))
    assert len({event_path(session, key, generation) for key, generation in builds}) == 3
