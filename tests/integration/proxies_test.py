"""Promise 6: the password of a proxy reaches steps, and nothing that stays."""

from __future__ import annotations

import json

import pytest

from tests.integration.workbench.machine import Machine, repository_settings
from tests.integration.workbench.registry import Registry

PROXY = "http://me:s3cret@proxy.example:3128"
IS_PASSED = f'RUN [ $(printf %s "$HTTP_PROXY" | wc -c) = {len(PROXY)} ]'


@pytest.mark.parametrize("is_of_docker", [False, True], ids=["environment", "configuration"])
def test_a_proxy_is_in_no_history_however_a_dockerfile_declares_it(
    machine: Machine, registry: Registry, repository: str, busybox: str, *, is_of_docker: bool
) -> None:
    if is_of_docker:
        docker = machine.home / ".docker"
        docker.mkdir()
        config = {"proxies": {"default": {"httpProxy": PROXY, "httpsProxy": PROXY}}}
        (docker / "config.json").write_text(json.dumps(config))
    else:
        machine.environment.update(HTTP_PROXY=PROXY, https_proxy=PROXY, NO_PROXY="127.0.0.1")
    checkout = machine.checkout(
        "checkout",
        {
            "pants.toml": repository_settings(registry.address, repository),
            "base/BUILD": "docker_buildkit_image(name='image')",
            "base/Dockerfile": f"FROM {busybox}\nONBUILD ARG HTTP_PROXY https_proxy\n",
            "app/BUILD": "docker_buildkit_image(name='image')",
            "app/Dockerfile": "ARG BASE=base:image\n"
            "FROM $BASE\n"
            "ARG A=1 \\\n  HTTP_PROXY http_proxy\n"
            "ARG NAME=HTTPS_PROXY\n"
            "ARG ${NAME} ALL_PROXY\n"
            "ENV KEPT=$HTTP_PROXY$HTTPS_PROXY\n"
            f"{IS_PASSED}\n",
        },
    )
    checkout.pants("package", "::")
    for target in ("base:image", "app:image"):
        reference = json.loads(checkout.record(target))["references"][0]
        assert "s3cret" not in json.dumps(registry.config(reference))
