from __future__ import annotations

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
address = "ghcr.io/org"
default = true
"""


def test_options_move_with_their_comments_and_what_is_gone_says_why() -> None:
    assert move_options(BEFORE) == AFTER


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
