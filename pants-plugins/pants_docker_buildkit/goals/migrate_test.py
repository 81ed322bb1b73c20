"""Which files a repository that moves over folder by folder has, and what its images keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from pants.backend.docker.subsystems.docker_options import DockerOptions
from pants.backend.docker.target_types import DockerImageTarget
from pants.engine.fs import FileContent
from pants.option.option_types import collect_options_info

from pants_docker_buildkit.goals.migrate import Repository, report_lines
from pants_docker_buildkit.migration.build_file import ImageUses, move_build_file
from pants_docker_buildkit.migration.options import move_options

DEFAULTS = '__defaults__({docker_image: dict(pull=True, registries=["@a"])})\n'
IMAGE = "docker_image(name='a')\n"
NEW_IMAGE = "docker_buildkit_image(name='a')\n"


def repository(files: Mapping[str, str], *chosen: str) -> Repository:
    contents = [FileContent(path, text.encode()) for path, text in files.items()]
    return Repository(
        chosen=tuple(each for each in contents if each.path in chosen),
        macros=(),
        others=tuple(each for each in contents if each.path not in chosen),
    )


def move(files: Mapping[str, str], *chosen: str) -> dict[str, str]:
    """The new text of the files that change."""
    moved = repository(files, *chosen).move()
    return {path: each.text for path, each in moved.items() if each.changes}


def test_images_wait_for_the_defaults_that_they_have() -> None:
    files = {"src/BUILD": DEFAULTS, "src/app/BUILD": IMAGE, "lib/BUILD": IMAGE}
    assert move(files, "src/app/BUILD", "lib/BUILD") == {"lib/BUILD": NEW_IMAGE}


def test_defaults_are_of_both_kinds_while_images_of_both_are_below() -> None:
    files = {"src/BUILD": DEFAULTS, "src/app/BUILD": IMAGE, "src/old/BUILD": IMAGE}
    first = move(files, "src/BUILD", "src/app/BUILD")
    both = '__defaults__({docker_buildkit_image: dict(registries=["@a"]), docker_image:'
    assert first["src/BUILD"] == DEFAULTS.replace("__defaults__({docker_image:", both)
    assert first["src/app/BUILD"] == NEW_IMAGE
    files.update(first)
    assert move(files, "src/old/BUILD") == {"src/old/BUILD": NEW_IMAGE}
    assert move(files, *files) == {"src/old/BUILD": NEW_IMAGE}


def test_defaults_are_of_both_kinds_where_an_image_cannot_move() -> None:
    odd = IMAGE + "docker_image(name='b', output=OUTPUT)\n"
    moved = move({"src/BUILD": DEFAULTS + odd}, "src/BUILD")
    assert "docker_buildkit_image: dict(" in moved["src/BUILD"]
    assert " docker_image: dict(" in moved["src/BUILD"]
    assert NEW_IMAGE in moved["src/BUILD"]


@pytest.mark.parametrize("chosen", [["a/BUILD", "b/BUILD"], ["b/BUILD"]])
def test_images_wait_for_one_that_finds_them_by_their_tags(chosen: list[str]) -> None:
    files = {"a/BUILD": f"{IMAGE}docker_image(name='b', odd=1)\n", "b/BUILD": IMAGE}
    names = {"a:b": {"x": "a:a"}, "a:a": {"y": "b:a"}}
    uses = ImageUses(names=names)
    moved = replace(repository(files, *chosen), uses=uses).move()
    assert [path for path, each in moved.items() if each.changes] == []
    assert "a:a stays, and finds it by its tag" in moved["b/BUILD"].flags[0].text


def test_of_several_images_that_stay_always_the_same_is_named() -> None:
    users = [f"user{number}" for number in range(8)]
    files = {"base/BUILD": IMAGE, **{f"{each}/BUILD": IMAGE for each in users}}
    names = {f"{each}:a": {"base/a": "base:a"} for each in users}
    moved = replace(repository(files, "base/BUILD"), uses=ImageUses(names=names)).move()
    assert "user7:a stays, and finds it by its tag" in moved["base/BUILD"].flags[0].text


def test_images_wait_for_those_that_they_are_built_on() -> None:
    user = "docker_image(name='a', dependencies=['a:a'])\n"
    files = {"a/BUILD": IMAGE, "b/BUILD": user, "c/BUILD": IMAGE}
    uses = ImageUses(names={"b:a": {"a/a": "a:a"}}, arguments={"c:a": frozenset({"b:a"})})

    def moved(*chosen: str) -> list[str]:
        found = replace(repository(files, *chosen), uses=uses).move()
        return [path for path, each in found.items() if each.changes]

    assert moved("b/BUILD", "c/BUILD") == []
    assert moved("c/BUILD") == []
    assert moved(*files) == list(files)
    files["b/BUILD"] = "docker_image(name='a', odd=1)\n"
    assert moved(*files) == []
    found = replace(repository(files, *files), uses=uses).move()
    assert "It is built on b:a, which stays" in found["c/BUILD"].flags[0].text
    assert "`odd`" in found["b/BUILD"].flags[0].text


def test_no_image_moves_away_from_defaults_that_cannot_move() -> None:
    stuck = "__defaults__({docker_image: dict(environment='far')})\n"
    files = {"BUILD": stuck, "src/BUILD": IMAGE, "other/BUILD": DEFAULTS + IMAGE}
    assert move(files, *files) == {}


@pytest.mark.parametrize(
    ("files", "chosen", "place"),
    [
        ({"a/BUILD": IMAGE, "b/BUILD": IMAGE}, ["a/BUILD", "b/BUILD"], "in place of [docker]:"),
        ({"a/BUILD": IMAGE, "b/BUILD": IMAGE}, ["a/BUILD"], "beside [docker], for each"),
        ({"a/BUILD": f"{IMAGE}docker_image(odd=1)"}, ["a/BUILD"], "beside [docker], for each"),
    ],
)
def test_the_options_of_images_that_stay_stay(
    files: dict[str, str], chosen: list[str], place: str
) -> None:
    old = repository(files, *chosen)
    moved = old.move()
    configuration = FileContent("pants.toml", b"[docker]\nbuild_args = ['A']\n")
    images_stay = bool(old.where_images_stay(moved))
    lines = list(report_lines(moved, [configuration], is_check=False, images_stay=images_stay))
    assert any(each.startswith(f"Write into pants.toml, {place}") for each in lines)


def test_each_field_of_the_pants_that_runs_has_its_place() -> None:
    for field in DockerImageTarget.core_fields:
        moved = move_build_file("src/BUILD", f"docker_image({field.alias}=X)")
        assert not any("no such field" in each.text for each in moved.remarks), field.alias


def test_each_option_of_the_pants_that_runs_has_its_place() -> None:
    names = []
    for info in collect_options_info(DockerOptions):
        flags: tuple[str, ...] = getattr(info, "flag_names", None) or getattr(info, "args")  # noqa: B009
        names += [flag.lstrip("-").replace("-", "_") for flag in flags]
    assert {"registries", "build_args", "tools"} <= set(names)
    for name in names:
        assert "no such option" not in move_options(f"[docker]\n{name} = 1\n"), name
