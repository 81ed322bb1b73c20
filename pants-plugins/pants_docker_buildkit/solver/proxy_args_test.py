from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pants_docker_buildkit.solver.definition import BuildDefinition
from pants_docker_buildkit.solver.proxy_args import proxy_build_args

DEFINITION = BuildDefinition("d" * 64, "blake3:" + "c" * 64, ("linux/amd64",), "registry")
PROXY = "http://me:s3cret@proxy:3128"
BOTH = {"HTTP_PROXY": PROXY, "http_proxy": PROXY}


def arguments(
    environment: dict[str, str],
    definition: BuildDefinition = DEFINITION,
    dockerfile: str = "FROM scratch\n",
) -> dict[str, str]:
    return dict(proxy_build_args(environment, definition, dockerfile))


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy"])
def test_a_proxy_is_passed_in_both_spellings(name: str) -> None:
    assert arguments({name: PROXY}) == BOTH


def test_all_that_is_predefined_is_passed() -> None:
    names = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")
    found = arguments(dict.fromkeys(names, "proxy:1"))
    assert sorted(found) == sorted([*names, *(each.lower() for each in names)])


def test_the_docker_configuration_comes_first(tmp_path: Path) -> None:
    proxies = {"default": {"httpProxy": PROXY}, "tcp://far": {"httpProxy": "http://far"}}
    (tmp_path / "config.json").write_text(json.dumps({"proxies": proxies}))
    environment = {"DOCKER_CONFIG": str(tmp_path), "HTTP_PROXY": "http://other"}
    assert arguments(environment) == BOTH
    assert arguments({**environment, "DOCKER_HOST": "tcp://far"})["HTTP_PROXY"] == "http://far"


@pytest.mark.parametrize("proxies", ['"x"', '{"default": 5}', '{"default": {"httpProxy": 5}}'])
def test_odd_proxies_of_a_configuration_are_none(tmp_path: Path, proxies: str) -> None:
    (tmp_path / "config.json").write_text(f'{{"proxies": {proxies}}}')
    assert arguments({"DOCKER_CONFIG": str(tmp_path)}) == {}


def test_an_argument_of_the_build_itself_stays_as_it_is() -> None:
    own = replace(DEFINITION, build_args=(("http_proxy", "http://own"),))
    assert arguments({"HTTP_PROXY": PROXY, "NO_PROXY": "a"}, own) == {
        "NO_PROXY": "a",
        "no_proxy": "a",
    }


@pytest.mark.parametrize(
    "dockerfile",
    ["FROM a\nARG HTTP_PROXY\n", "arg other HTTP_PROXY=x\nFROM a", "FROM a\n  ARG http_proxy\n"],
)
def test_what_would_get_into_the_history_is_not_passed(dockerfile: str) -> None:
    assert arguments({"HTTP_PROXY": PROXY}, dockerfile=dockerfile) == {}


def test_a_proxy_of_this_machine_is_for_its_network_only() -> None:
    environment = {"HTTP_PROXY": "http://127.0.0.1:3128", "ALL_PROXY": "socks5://localhost:1"}
    assert set(arguments(environment)) == {"ALL_PROXY", "all_proxy"}
    assert "HTTP_PROXY" in arguments(environment, replace(DEFINITION, network="host"))
