from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pants_docker_buildkit.solver.definition import BuildDefinition
from pants_docker_buildkit.solver.proxy_args import proxy_build_args

DEFINITION = BuildDefinition("d" * 64, "blake3:" + "c" * 64, ("linux/amd64",), "registry")
PROXY = "http://me:s3cret@proxy:3128"
PASSED = {"hTTP_PROXY": PROXY}


def arguments(
    environment: dict[str, str], definition: BuildDefinition = DEFINITION
) -> dict[str, str]:
    return dict(proxy_build_args(environment, definition))


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy"])
def test_a_proxy_is_passed_under_a_name_that_no_dockerfile_declares(name: str) -> None:
    assert arguments({name: PROXY}) == PASSED


def test_buildx_takes_none_of_them_for_a_proxy_of_its_own() -> None:
    names = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")
    found = arguments(dict.fromkeys(names, "proxy:1"))
    assert {name.upper() for name in found} == set(names)
    assert not {name for name in found if name.isupper() or name.islower()}


def test_the_docker_configuration_comes_first(tmp_path: Path) -> None:
    proxies = {"default": {"httpProxy": PROXY}, "tcp://far": {"httpProxy": "http://far"}}
    (tmp_path / "config.json").write_text(json.dumps({"proxies": proxies}))
    environment = {"DOCKER_CONFIG": str(tmp_path), "HTTP_PROXY": "http://other"}
    assert arguments(environment) == PASSED
    far = arguments({**environment, "DOCKER_HOST": "tcp://far"})
    assert far == {"hTTP_PROXY": "http://far"}


@pytest.mark.parametrize("proxies", ['"x"', '{"default": 5}', '{"default": {"httpProxy": 5}}'])
def test_odd_proxies_of_a_configuration_are_none(tmp_path: Path, proxies: str) -> None:
    (tmp_path / "config.json").write_text(f'{{"proxies": {proxies}}}')
    assert arguments({"DOCKER_CONFIG": str(tmp_path)}) == {}


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "Http_Proxy"])
def test_an_argument_of_the_build_itself_stays_as_it_is(name: str) -> None:
    own = replace(DEFINITION, build_args=((name, "http://own"),))
    assert arguments({"HTTP_PROXY": PROXY, "NO_PROXY": "a"}, own) == {"nO_PROXY": "a"}


def test_a_proxy_of_this_machine_is_for_its_network_only() -> None:
    environment = {"HTTP_PROXY": "http://127.0.0.1:3128", "ALL_PROXY": "socks5://localhost:1"}
    assert set(arguments(environment)) == {"aLL_PROXY"}
    assert "hTTP_PROXY" in arguments(environment, replace(DEFINITION, network="host"))
