from __future__ import annotations

import pytest
from pants.engine.addresses import Addresses
from pants.engine.internals.scheduler import ExecutionError
from pants.engine.target import AllTargets, DependenciesRequest
from pants.testutil.rule_runner import QueryRule

from pants_docker_buildkit.fields.naming import BuildKitImageOutputPathField
from pants_docker_buildkit.testutil import ImageRunner, create_rule_runner

BASE = """\
docker_buildkit_images(
    name='images',
    source=None,
    instructions=['FROM scratch AS small', 'FROM scratch AS large'],
    stages=['small', 'large'],
)
"""
DOCKERFILE = """\
ARG BASE=base:images#small
FROM $BASE AS Build
ARG MODE
FROM scratch AS test
COPY app/test.txt /
FROM scratch AS release
COPY app/file.txt /
"""
REGISTRIES = {"dev": {"address": "localhost:5000", "default": True}}


@pytest.fixture(scope="module")
def runner() -> ImageRunner:
    """One engine for all tests; each has a directory of its own."""
    queries = (QueryRule(AllTargets, ()), QueryRule(Addresses, (DependenciesRequest,)))
    runner = ImageRunner(create_rule_runner(rules=queries))
    runner.set_options(f"registries={REGISTRIES}")
    runner.write({"base/BUILD": BASE, "base/Dockerfile": "FROM unused\n"})
    return runner


def write(
    runner: ImageRunner, directory: str, fields: str, more: str = "", dockerfile: str = DOCKERFILE
) -> None:
    """Let a directory have a target that generates images, with these fields."""
    build = (
        f"file(name='test', source='test.txt')\nfile(name='file', source='file.txt')\n{more}\n"
        f"docker_buildkit_images(name='images', {fields})\n"
    )
    texts = {"Dockerfile": dockerfile.replace("app/", f"{directory}/"), "BUILD": build}
    texts.update({"test.txt": "", "file.txt": ""})
    runner.write({f"{directory}/{name}": text for name, text in texts.items()})


def test_each_stage_is_an_image_of_its_own(runner: ImageRunner) -> None:
    fields = "stages=['test', 'release', 'build'], platforms=['linux/arm64'],"
    fields += " overrides={'test': {'platforms': ['linux/amd64'], 'output': 'oci'}}"
    write(runner, "app", fields)
    tested, released = runner.definition("app:images#test"), runner.definition("app:images#release")
    assert [each.job.definition.target_stage for each in (tested, released)] == ["test", "release"]
    assert tested.job.definition.platforms == ("linux/amd64",)
    assert released.job.definition.platforms == ("linux/arm64",)
    assert released.job.repositories == ("localhost:5000/app/images-release",)
    # BuildKit refuses the address, though neither needs that stage.
    assert released.job.definition.build_args == (("BASE", "scratch"),)
    # Each depends on what its own stage needs.
    assert runner.inferred("app:images#test") == {"app:test"}
    assert runner.inferred("app:images#release") == {"app:file"}
    assert runner.inferred("app:images#build") == {"base:images#small"}
    paths = [
        runner.target(f"app:images#{stage}")[BuildKitImageOutputPathField].value_or_default(
            file_ending="image.json"
        )
        for stage in ("test", "release")
    ]
    assert paths == ["app/images-test.image.json", "app/images-release.image.json"]


def test_images_of_one_dockerfile_are_targets_as_any(runner: ImageRunner) -> None:
    write(runner, "goals", "stages=['release', 'Build'], platforms=parametrize(x=['a/b'])")
    everything = runner.runner.request(AllTargets, ())
    found = {each.address.spec for each in everything if each.address.spec_path == "goals"}
    assert found == {
        "goals:test",
        "goals:file",
        "goals:images#release@platforms=x",
        "goals:images#Build@platforms=x",
    }


def test_names_may_have_the_stage(runner: ImageRunner) -> None:
    fields = "stages=['release', 'test'], repository='a/{stage}', image_tags=['{stage}-1']"
    write(runner, "names", fields)
    for stage in ("release", "test"):
        (found,) = runner.published_names(f"names:images#{stage}").repositories
        assert (found.repository, found.tags) == (f"a/{stage}", (f"{stage}-1",))


def test_an_argument_may_be_for_one_of_the_stages(runner: ImageRunner) -> None:
    stages = "stages=['release', 'build']"
    write(runner, "arguments", f"{stages}, extra_build_args=['MODE=fast']", dockerfile=DOCKERFILE)
    assert runner.definition("arguments:images#release").job.definition.build_args == (
        ("BASE", "scratch"),
    )
    write(runner, "arguments", f"{stages}, extra_build_args=['MOOD=fast']")
    assert "`ARG`" in runner.failure("arguments:images#release")
    # A default for all images of a directory may be for some of them.
    write(
        runner,
        "arguments",
        stages,
        "__defaults__({docker_buildkit_images: dict(extra_build_args=['MOOD=fast'])})",
    )
    assert runner.definition("arguments:images#release").job.definition.build_args == (
        ("BASE", "scratch"),
    )


def test_a_stage_that_is_not_there_is_an_error_of_the_field_that_names_it(
    runner: ImageRunner,
) -> None:
    write(runner, "unknown", "stages=['release', 'tset']")
    assert runner.failure("unknown:images#tset") == (
        "The `stages` field in target unknown:images must name stages of unknown/Dockerfile, but"
        " 'tset' is not one. Stages there: 'build', 'test', 'release'."
    )
    # The others can be built.
    assert runner.definition("unknown:images#release").job.definition.target_stage == "release"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param("stages=[]", "but it is empty", id="none"),
        pytest.param("stages=['a b']", "but 'a b' is not valid", id="no-name"),
        pytest.param("stages=['0']", "but '0' is not valid", id="number"),
        pytest.param("stages=['a', 'A']", "but 'a' is there twice", id="twice"),
        pytest.param(
            "stages=['test'], overrides={'tset': {'skip_push': True}}",
            "The `overrides` field in target wrong:images must have names of `stages` as keys, but"
            " 'tset' is not one of them. They are: 'test'.",
            id="override",
        ),
        pytest.param(
            "stages=['test'], overrides={'tset': {}}", "'tset' is not one of them", id="no-override"
        ),
        pytest.param(
            "stages=['test'], overrides={'test': {'target_stage': 'x'}}",
            "must not have `target_stage`, but for 'test' it has",
            id="stage-in-override",
        ),
        pytest.param("stages=['test'], target_stage='x'", "target_stage", id="stage"),
    ],
)
def test_fields_that_mean_nothing_are_errors(
    runner: ImageRunner, fields: str, expected: str
) -> None:
    write(runner, "wrong", fields)
    with pytest.raises(ExecutionError, match=r".") as raised:
        runner.definition("wrong:images#test")
    runner.write({"wrong/BUILD": ""})
    assert expected in str(raised.value)


@pytest.mark.parametrize(
    ("image", "dockerfile", "expected"),
    [
        pytest.param(
            "",
            "ARG BASE=base:images\nFROM $BASE\n",
            "line 1 gives ARG BASE the value 'base:images', which stands for several images. Name"
            " one of them: base:images#large, base:images#small",
            id="argument",
        ),
        pytest.param(
            "",
            "ARG BASE=base:images#tiny\nFROM $BASE\n",
            "Targets in base: ':images#large', ':images#small'.",
            id="typo",
        ),
        pytest.param(
            "build_contexts={'x': 'base:images'}",
            "FROM x\n",
            "must name one image, but for 'x' it names 'base:images', which stands for several",
            id="context",
        ),
        pytest.param(
            "", "FROM base:images\n", "which is the address of a target", id="literal-of-all"
        ),
        pytest.param(
            "", "FROM base:images#small\n", "which is the address of a target", id="literal"
        ),
    ],
)
def test_one_of_several_images_has_to_be_named(
    runner: ImageRunner, image: str, dockerfile: str, expected: str
) -> None:
    runner.write(
        {
            "child/BUILD": f"docker_buildkit_image(name='image', {image})",
            "child/Dockerfile": dockerfile,
        }
    )
    assert expected in runner.failure("child:image")
