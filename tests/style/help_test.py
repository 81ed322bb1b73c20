"""Does every help text read as it was meant, once Pants has rendered it?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import get_type_hints

import pytest
from pants.engine.target import COMMON_TARGET_FIELDS
from pants.option.subsystem import Subsystem

from pants_docker_buildkit.goals.lint import DockerfileChecksSubsystem
from pants_docker_buildkit.goals.list_images import ListImagesSubsystem
from pants_docker_buildkit.goals.migrate import MigrateDockerImagesSubsystem
from pants_docker_buildkit.goals.plan_images import PlanImagesSubsystem
from pants_docker_buildkit.register import target_types
from pants_docker_buildkit.subsystem import (
    BuildReportSubsystem,
    DockerBuildKitSubsystem,
    SignaturesSubsystem,
)
from pants_docker_buildkit.target_types import BuildKitImageTarget
from pants_docker_buildkit.util_rules.image_tests import ImageTestSubsystem

SUBSYSTEMS: tuple[type[Subsystem], ...] = (
    DockerBuildKitSubsystem,
    SignaturesSubsystem,
    BuildReportSubsystem,
    ImageTestSubsystem,
    DockerfileChecksSubsystem,
    ListImagesSubsystem,
    MigrateDockerImagesSubsystem,
    PlanImagesSubsystem,
)

PLACEHOLDERS = {
    "chroot",
    "name",
    "stage",
    "directory",
    "parent_directory",
    "full_directory",
    "default_repository",
    "target_repository",
    "build_args.NAME",
    "tags.STAGE",
    "pants.hash",
    "git_sha",
    # Of `sbom_command`.
    "digest",
    "layout",
}
_FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`]*`")
_NAME_IN_BRACES = re.compile(r"\{([\w.]+)\}")
_WORDS = re.compile(r"`[^`]+`|[^\s.]+")


def _text(value: object) -> str:
    """A help text is a string, or a function that gives one."""
    return str(value()) if callable(value) else str(value)


def fields() -> Iterator[tuple[str, str]]:
    for target in target_types():
        for field in target.core_fields:
            is_ours = field.__module__.startswith("pants_docker")
            if is_ours and field not in COMMON_TARGET_FIELDS and not field.alias.startswith("_"):
                yield f"field {field.alias} of {target.alias}", _text(field.help)


def options() -> Iterator[tuple[str, str]]:
    for subsystem in SUBSYSTEMS:
        for name, member in vars(subsystem).items():
            if type(member).__name__.endswith("Option"):
                text = _text(member.get_flag_options(subsystem)["help"])
                yield f"option {subsystem.options_scope}.{name}", text


def all_texts() -> list[tuple[str, str]]:
    return [
        *((f"target {target.alias}", _text(target.help)) for target in target_types()),
        *((f"subsystem {each.options_scope}", _text(each.help)) for each in SUBSYSTEMS),
        *fields(),
        *options(),
    ]


TEXTS = all_texts()
each_text = pytest.mark.parametrize("text", [text for _, text in TEXTS], ids=[n for n, _ in TEXTS])


def test_there_are_texts_of_fields_and_options() -> None:
    assert len(list(fields())) > 25
    assert len(list(options())) > 10


@each_text
def test_names_in_braces_are_placeholders_for_users(text: str) -> None:
    assert set(_NAME_IN_BRACES.findall(text)) <= PLACEHOLDERS


@each_text
def test_braces_stand_in_code_only(text: str) -> None:
    prose = _CODE.sub("", _FENCED.sub("", text))
    assert "{" not in prose
    assert "}" not in prose


@each_text
def test_nothing_but_fenced_code_is_indented(text: str) -> None:
    assert [line for line in _FENCED.sub("", text).splitlines() if line.startswith("    ")] == []


@each_text
def test_each_item_of_a_list_stands_in_a_paragraph_of_its_own(text: str) -> None:
    assert re.findall(r"\S +- `.*", _FENCED.sub("", text)) == []


@each_text
def test_a_text_starts_with_a_sentence_and_ends_with_a_full_stop_or_code(text: str) -> None:
    assert len(_WORDS.findall(text)) >= 3
    assert text.strip().endswith((".", "```"))


def test_help_says_of_what_a_field_is_made() -> None:
    # Of types that are none of `typing`, Pants prints the name alone.
    hints = {
        f"{target.alias}.{field.alias}": str(get_type_hints(field.compute_value)["raw_value"])
        for target in target_types()
        for field in target.core_fields
        if field.__module__.startswith("pants_docker")
    }
    bare = re.compile(r"typing\.Any$|collections\.abc|\bdict\[|\blist\[")
    assert {name: hint for name, hint in hints.items() if bare.search(hint)} == {}


def test_the_help_of_images_names_every_goal_that_takes_them() -> None:
    text = _text(BuildKitImageTarget.help)
    assert {"`package`", "`publish`", "`run`"} <= set(_CODE.findall(text))


def test_no_two_texts_are_the_same() -> None:
    texts = [text for _, text in TEXTS]
    assert len(set(texts)) == len(texts)


def test_no_help_names_a_file_that_only_a_clone_has() -> None:
    named = {where: re.findall(r"\bdocs/|\b\w+\.md\b", text) for where, text in all_texts()}
    assert not {where: files for where, files in named.items() if files}
