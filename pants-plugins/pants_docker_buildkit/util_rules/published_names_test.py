from __future__ import annotations

import pytest
from pants.engine.internals.scheduler import ExecutionError

from pants_docker_buildkit.testutil import ImageRunner
from pants_docker_buildkit.util_rules.published_names import PublishedRepository

DOCKERFILE = "ARG VERSION=1.2\nFROM scratch\n"


@pytest.fixture(scope="module")
def runner() -> ImageRunner:
    runner = ImageRunner()
    runner.write({"app/Dockerfile": DOCKERFILE})
    return runner


def names(
    runner: ImageRunner, registries: dict[str, dict[str, object]], fields: str = ""
) -> tuple[PublishedRepository, ...]:
    runner.set_options(f"registries={registries}", "default-repository={name}")
    runner.write({"app/BUILD": f"docker_buildkit_image(name='image', {fields})"})
    return runner.published_names("app:image").repositories


def failure(runner: ImageRunner, registries: dict[str, dict[str, object]], fields: str = "") -> str:
    with pytest.raises(ExecutionError) as e:
        names(runner, registries, fields)
    return "\n".join(str(each) for each in e.value.wrapped_exceptions)


def test_every_registry_gets_the_tags_of_the_image_and_its_own(runner: ImageRunner) -> None:
    dev = {"address": "localhost:5000", "default": True}
    prod = {
        "address": "ghcr.io",
        "default": True,
        "repository": "org/{target_repository}",
        "extra_image_tags": ["v{build_args.VERSION}", "latest"],
    }
    found = names(runner, {"dev": dev, "prod": prod}, "image_tags=['latest', '{name}']")
    assert found == (
        PublishedRepository("localhost:5000", "image", ("latest", "image")),
        PublishedRepository("ghcr.io", "org/image", ("latest", "image", "v1.2")),
    )


def test_an_address_that_is_not_configured_gets_the_tags_of_the_image(runner: ImageRunner) -> None:
    assert names(runner, {}, "registries=['quay.io']") == (
        PublishedRepository("quay.io", "image", ("latest",)),
    )


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        pytest.param({}, {}, (("latest", "1", "2"), ""), id="both"),
        pytest.param({"skip_push": True}, {}, (("latest", "2"), ""), id="second-only"),
        pytest.param({}, {"skip_push": True}, (("latest", "1"), ""), id="first-only"),
        pytest.param(
            {"skip_push": True},
            {"skip_push": True},
            (("latest", "2"), "`skip_push` on registry @two"),
            id="none",
        ),
    ],
)
def test_two_aliases_of_one_repository_are_one(
    runner: ImageRunner,
    one: dict[str, object],
    two: dict[str, object],
    expected: tuple[tuple[str, ...], str],
) -> None:
    aliases: dict[str, dict[str, object]] = {
        "one": {"address": "ghcr.io", "extra_image_tags": ["1"], **one},
        "two": {"address": "ghcr.io", "extra_image_tags": ["2"], **two},
    }
    (found,) = names(runner, aliases, "registries=['@one', '@two']")
    assert (found.tags, found.skipped_by) == expected


def test_a_tag_that_is_none_is_an_error_of_the_field_or_of_the_option(runner: ImageRunner) -> None:
    dev = {"dev": {"address": "ghcr.io", "default": True, "extra_image_tags": ["{name} x"]}}
    requirement = (
        "must hold tags, each of which must be at most 128 letters, digits, '_', '.' and '-', and"
        " not start with '.' or '-', but"
    )
    assert failure(runner, dev) == (
        f"The option `[docker-buildkit].registries.dev.extra_image_tags` {requirement}"
        " 'image x' is not valid."
    )
    assert failure(
        runner, {"dev": {"address": "ghcr.io", "default": True}}, "image_tags=['-']"
    ) == (f"The `image_tags` field in target app:image {requirement} '-' is not valid.")


def test_a_placeholder_that_nobody_knows_is_an_error(runner: ImageRunner) -> None:
    dev = {"dev": {"address": "ghcr.io", "default": True, "extra_image_tags": ["{nobody}"]}}
    text = failure(runner, dev)
    assert "`[docker-buildkit].registries.dev.extra_image_tags`" in text
    assert "'{nobody}' has '{nobody}'. Known are '" in text
    assert "'{git_sha}'" in text


def test_the_commit_is_for_tags_only(runner: ImageRunner) -> None:
    dev: dict[str, dict[str, object]] = {"dev": {"address": "ghcr.io", "default": True}}
    assert "'{git_sha}' has '{git_sha}'" in failure(runner, dev, "repository='{git_sha}'")


def test_a_tag_may_name_an_argument_of_the_option_without_building_for_each_value(
    runner: ImageRunner,
) -> None:
    runner.write(
        {"app/BUILD": "docker_buildkit_image(name='image', image_tags=['{build_args.RELEASE}'])"}
    )
    registries = {"dev": {"address": "ghcr.io", "default": True}}
    keys = []
    for release in ("1.2", "1.3"):
        runner.set_options(f"registries={registries}", f"build-args=['RELEASE={release}']")
        (found,) = runner.published_names("app:image").repositories
        assert found.tags == (release,)
        keys.append(runner.definition("app:image").key)
    assert len(set(keys)) == 1
