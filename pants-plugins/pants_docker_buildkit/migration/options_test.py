from __future__ import annotations

import pytest

from pants_docker_buildkit.migration.options import move_options, name_as_before, names_images

BEFORE = """\
[GLOBAL]
pants_version = "2.31.0"

[docker]
# Where images go.
default_repository = "{directory}/{name}"
build_args = ["VERSION", "A=b"]
env_vars = [
  "DOCKER_CONTEXT=[x",  # odd
  "HOME",
]
use_buildx = true
build_verbose = true
tools = [
  "docker-credential-gcr",
]
build_args.add = ["C"]

[docker.registries.prod]
address = "ghcr.io/org"
default = true

[python]
tailor = false
"""
AFTER = """\
[docker-buildkit]
# Where images go.
default_repository = "{directory}/{name}"
build_args = ["VERSION", "A=b"]
env_vars = [
  "DOCKER_CONTEXT=[x",  # odd
  "HOME",
]
# use_buildx: buildx always builds.
progress = "plain"
# tools: credential helpers are found on `executable_search_paths`.
build_args.add = ["C"]

[docker-buildkit.registries.prod]
address = "ghcr.io"
repository = "org/{target_repository}"
default = true
"""


def test_options_move_with_their_comments_and_what_is_gone_says_why() -> None:
    assert move_options(BEFORE) == AFTER


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(
            "[docker.registries.a]\naddress = 'ghcr.io/a/b/'  # ours\ndefault = true\n",
            "[docker-buildkit.registries.a]\naddress = 'ghcr.io'  # ours\n"
            'repository = "a/b/{target_repository}"\ndefault = true\n',
            id="table",
        ),
        pytest.param(
            '[docker.registries.a]\n# address = "x/y"\nrepository = "{name}"\n'
            'address="ghcr.io/a"\n',
            '[docker-buildkit.registries.a]\n# address = "x/y"\nrepository = "a/{name}"\n'
            'address="ghcr.io"\n',
            id="table-with-repository",
        ),
        pytest.param(
            '[docker.registries]\na = { address = "ghcr.io/a" }\n'
            'b = {repository = "{name}", address = "localhost:5000/b"}\n'
            'c = {address = "docker.io"}\n',
            "[docker-buildkit.registries]\n"
            'a = { address = "ghcr.io", repository = "a/{target_repository}" }\n'
            'b = {repository = "b/{name}", address = "localhost:5000"}\n'
            'c = {address = "docker.io"}\n',
            id="inline",
        ),
        pytest.param(
            '[docker]\nregistries = {a = {address = "ghcr.io/a"}, b = {address = "ghcr.io/b"}}\n',
            '[docker-buildkit]\nregistries = {a = {address = "ghcr.io",'
            ' repository = "a/{target_repository}"}, b = {address = "ghcr.io",'
            ' repository = "b/{target_repository}"}}\n',
            id="inline-in-inline",
        ),
    ],
)
def test_the_path_in_an_address_goes_to_the_repository(before: str, after: str) -> None:
    assert move_options(before) == after


def test_a_file_without_docker_gives_nothing() -> None:
    assert move_options("[dockerfile-parser]\nuse_rust_parser = true\n") == ""


def test_repositories_are_called_as_they_were_by_default() -> None:
    assert names_images(AFTER)
    moved = move_options('[docker]\nbuild_args = ["A"]\n')
    assert not names_images(moved)
    named = 'default_repository = "{name}"  # the default of [docker]\n'
    assert name_as_before(moved) == f'[docker-buildkit]\n{named}build_args = ["A"]\n'
    assert name_as_before("") == f"[docker-buildkit]\n{named}"
    table = '[docker-buildkit.registries.a]\naddress = "ghcr.io"\n'
    assert name_as_before(table) == f"[docker-buildkit]\n{named}\n{table}"
