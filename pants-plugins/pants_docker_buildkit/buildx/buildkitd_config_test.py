from __future__ import annotations

import tomli
from hypothesis import given
from hypothesis import strategies as st

from pants_docker_buildkit.buildx.buildkitd_config import (
    BuildkitdConfig,
    ClientKeyPair,
    GarbageCollection,
    RegistryConfig,
    render_buildkitd_config,
    render_buildkitd_flags,
)

FULL = BuildkitdConfig(
    registries=(
        RegistryConfig("docker.io", mirrors=("mirror.example:5000", "other.example/docker")),
        RegistryConfig("localhost:5000", http=True),
        RegistryConfig(
            "mirror.example:5000",
            insecure=False,
            ca=("/etc/ca.pem",),
            keypair=(ClientKeyPair("/etc/a.pem", "/etc/a.key"),),
        ),
    ),
    gc=GarbageCollection(
        enabled=True, reserved_space="1GB", max_used_space="20%", min_free_space="10GB"
    ),
    entitlements=("network.host", "security.insecure"),
)


def test_a_full_configuration() -> None:
    assert (
        render_buildkitd_config(FULL)
        == """\
[worker.oci]
gc = true
reservedSpace = "1GB"
maxUsedSpace = "20%"
minFreeSpace = "10GB"

[registry."docker.io"]
mirrors = ["mirror.example:5000", "other.example/docker"]

[registry."localhost:5000"]
http = true

[registry."mirror.example:5000"]
insecure = false
ca = ["/etc/ca.pem"]
[[registry."mirror.example:5000".keypair]]
key = "/etc/a.key"
cert = "/etc/a.pem"
"""
    )


def test_entitlements_are_flags() -> None:
    assert render_buildkitd_flags(FULL) == (
        "--allow-insecure-entitlement=network.host",
        "--allow-insecure-entitlement=security.insecure",
    )
    assert render_buildkitd_flags(BuildkitdConfig()) == ()


def test_it_names_the_files_whose_content_the_daemon_gets() -> None:
    assert FULL.files == ("/etc/ca.pem", "/etc/a.pem", "/etc/a.key")


def test_nothing_set_is_nothing_said() -> None:
    assert render_buildkitd_config(BuildkitdConfig()) == ""


# TOML is UTF-8, and has no surrogates.
TEXTS = st.text(st.characters(blacklist_categories=("Cs",)))


@given(TEXTS, TEXTS)
def test_any_text_comes_back(host: str, path: str) -> None:
    config = BuildkitdConfig(registries=(RegistryConfig(host, mirrors=(path,), ca=(path, host)),))
    parsed = tomli.loads(render_buildkitd_config(config))
    assert parsed == {"registry": {host: {"mirrors": [path], "ca": [path, host]}}}
