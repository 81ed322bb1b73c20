from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from pants.engine.internals.scheduler import ExecutionError

from pants_docker_buildkit.dockerfile.parser import parse_dockerfile
from pants_docker_buildkit.dockerfile.stages import analyze
from pants_docker_buildkit.oci.image_platform import ImagePlatform
from pants_docker_buildkit.testing.http_server import file_server, http_server
from pants_docker_buildkit.testutil import ImageRunner
from pants_docker_buildkit.util_rules.image_names import placeholders

DOCKERFILE = """\
ARG VERSION=1.2
FROM ghcr.io/org/python:3.12@sha256:{sha} AS build
FROM ghcr.io/org/slim@sha256:{sha} AS plain
ARG VERSION
COPY --from=build /a /
""".format(sha="a" * 64)
REGISTRIES = """{
    "dev": {"address": "localhost:5000", "default": True},
    "prod": {"address": "ghcr.io", "repository": "org/{target_repository}"},
    "plain": {"address": "registry.example:80", "insecure": True},
}"""


@pytest.fixture(scope="module")
def runner() -> ImageRunner:
    """An engine with three registries, one of them the default."""
    runner = ImageRunner()
    runner.set_options(f"registries={REGISTRIES}", "default-repository={directory}/{name}")
    runner.write({"src/team/app/Dockerfile": DOCKERFILE})
    return runner


def declare(runner: ImageRunner, fields: str) -> None:
    runner.write({"src/team/app/BUILD": f"docker_buildkit_image(name='image', {fields})"})


def repositories(runner: ImageRunner, fields: str) -> tuple[str, ...]:
    declare(runner, fields)
    return runner.definition("src/team/app:image").job.repositories


@pytest.mark.parametrize(
    ("template", "repository"),
    [
        pytest.param("{name}", "image", id="name"),
        pytest.param("{directory}", "app", id="directory"),
        pytest.param("{parent_directory}", "team", id="parent-directory"),
        pytest.param("{full_directory}", "src/team/app", id="full-directory"),
        pytest.param("x/{default_repository}", "x/app/image", id="default-repository"),
        pytest.param("v/{build_args.VERSION}", "v/1.2", id="build-argument"),
        pytest.param("v/{tags.build}", "v/3.12", id="stage-tag"),
        pytest.param("v/{tags.baseimage}", "v/3.12", id="base-tag"),
        pytest.param("v/{tags.plain}", "v/latest", id="stage-without-tag"),
        pytest.param("Team/App", "team/app", id="upper-case"),
        pytest.param("fixed", "fixed", id="fixed"),
        pytest.param("{default_repository}-x", "app/image-x", id="part-of-a-name"),
    ],
)
def test_placeholders_of_a_repository(runner: ImageRunner, template: str, repository: str) -> None:
    assert repositories(runner, f"repository='{template}'") == (f"localhost:5000/{repository}",)


@pytest.mark.parametrize(
    ("directory", "template", "repository"),
    [
        ("", "{directory}/{name}", "image"),
        ("", "{parent_directory}/{directory}/{name}", "image"),
        ("top", "{parent_directory}/{directory}/{name}", "top/image"),
    ],
)
def test_a_target_near_the_build_root_leaves_no_empty_part_in_its_repository(
    runner: ImageRunner, directory: str, template: str, repository: str
) -> None:
    prefix = f"{directory}/" if directory else ""
    build = "docker_buildkit_image(name='image', source=None, instructions=['FROM scratch'],"
    runner.write({f"{prefix}BUILD": f"{build} repository='{template}')"})
    job = runner.definition(f"{directory}:image").job
    assert job.repositories == (f"localhost:5000/{repository}",)


@pytest.mark.parametrize(
    ("first", "tags"),
    [
        pytest.param("$OUTSIDE", {"base": "3.12", "baseimage": "3.12"}, id="image"),
        pytest.param("$TARGET", {}, id="target"),
        pytest.param("named", {}, id="named-context"),
        pytest.param("scratch", {"stage1": "1", "baseimage": "1"}, id="nothing"),
    ],
)
def test_an_image_of_this_repository_has_no_tag(
    runner: ImageRunner, first: str, tags: dict[str, str]
) -> None:
    lines = ("ARG TARGET=localhost:5000/base@sha256:{}".format("a" * 64), "ARG OUTSIDE=python:3.12")
    text = "\n".join((*lines, f"FROM {first} AS base", "FROM busybox:1"))
    declare(runner, "")
    field_set = runner.field_set("src/team/app:image")
    platform = ImagePlatform.parse("linux/amd64")
    analysis = analyze(
        parse_dockerfile(text),
        build_args={},
        target_platform=platform,
        build_platform=platform,
        named_contexts=["named"],
    )
    values = placeholders(field_set, analysis, {}, {"TARGET"}, "").values
    assert values["tags"] == {"stage1": "1", **tags}


def test_a_given_build_argument_wins_over_the_default_in_a_placeholder(
    runner: ImageRunner,
) -> None:
    fields = "repository='v/{build_args.VERSION}', extra_build_args=['VERSION=9']"
    assert repositories(runner, fields) == ("localhost:5000/v/9",)


def test_a_name_that_the_environment_lacks_has_the_default_of_the_dockerfile(
    runner: ImageRunner,
) -> None:
    fields = "repository='v/{build_args.VERSION}', extra_build_args=['VERSION']"
    assert repositories(runner, fields) == ("localhost:5000/v/1.2",)
    definition = runner.definition("src/team/app:image").job.definition
    assert "VERSION" not in dict(definition.build_args)


def test_build_arguments_of_defaults_reach_the_dockerfiles_that_declare_them(
    runner: ImageRunner,
) -> None:
    image = "docker_buildkit_image(name='{}', source=None, instructions=['FROM scratch', {}])"
    runner.write(
        {
            "src/defaults/BUILD": "__defaults__({docker_buildkit_image: dict("
            "extra_build_args=['VERSION=7', 'NOT_IN_THE_ENVIRONMENT'])})",
            "src/defaults/app/BUILD": "\n".join(
                [image.format("with", "'ARG VERSION'"), image.format("without", "'LABEL a=b'")]
            ),
        }
    )
    declares = dict(runner.definition("src/defaults/app:with").job.definition.build_args)
    assert declares.get("VERSION") == "7"
    does_not = dict(runner.definition("src/defaults/app:without").job.definition.build_args)
    assert "VERSION" not in does_not


def test_the_hash_placeholder_changes_with_the_inputs_and_not_with_labels(
    runner: ImageRunner,
) -> None:
    (before,) = repositories(runner, "repository='{pants.hash}'")
    assert len(before.rpartition("/")[2]) == 64
    labelled = repositories(runner, "repository='{pants.hash}', image_labels={'a': 'b'}")
    assert labelled == (before,)
    changed = repositories(runner, "repository='{pants.hash}', extra_build_args=['VERSION=9']")
    assert changed != (before,)


def test_labels_and_annotations_have_the_same_placeholders(runner: ImageRunner) -> None:
    declare(
        runner,
        "image_labels={'from': '{directory}:{build_args.VERSION}', 'json': '{{\"a\": {{}}}}'},"
        "image_annotations={'index:from': '{full_directory}'}",
    )
    definition = runner.definition("src/team/app:image").job.definition
    assert definition.labels == (("from", "app:1.2"), ("json", '{"a": {}}'))
    assert definition.annotations == (("index:from", "src/team/app"),)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param("", ("localhost:5000/app/image",), id="defaults"),
        pytest.param("registries=['@prod']", ("ghcr.io/org/app/image",), id="alias-with-template"),
        pytest.param(
            "registries=['@prod'], repository='mine'", ("ghcr.io/org/mine",), id="own-repository"
        ),
        pytest.param(
            "registries=['ghcr.io']", ("ghcr.io/org/app/image",), id="address-of-an-alias"
        ),
        pytest.param("registries=['quay.io']", ("quay.io/app/image",), id="unknown-address"),
        pytest.param(
            "registries=['ghcr.io/a/b'], repository='c'", ("ghcr.io/a/b/c",), id="address-and-path"
        ),
        pytest.param(
            "registries=['<all default registries>', 'quay.io']",
            ("localhost:5000/app/image", "quay.io/app/image"),
            id="defaults-and-another",
        ),
        pytest.param(
            "registries=['@dev', 'localhost:5000']", ("localhost:5000/app/image",), id="twice"
        ),
    ],
)
def test_registries_are_named_by_alias_address_or_as_the_defaults(
    runner: ImageRunner, fields: str, expected: tuple[str, ...]
) -> None:
    assert repositories(runner, fields) == expected


@pytest.mark.parametrize(
    ("fields", "output"),
    [
        pytest.param("", "registry", id="default-registry"),
        pytest.param("registries=[]", "oci", id="no-registry"),
        pytest.param("output='oci'", "oci", id="oci-in-spite-of-a-default"),
        pytest.param("output='docker'", "docker", id="docker"),
        pytest.param("output='registry'", "registry", id="registry"),
    ],
)
def test_the_output_is_a_registry_where_there_is_one(
    runner: ImageRunner, fields: str, output: str
) -> None:
    declare(runner, fields)
    assert runner.definition("src/team/app:image").output.value == output


def test_without_any_registry_an_image_is_a_layout() -> None:
    runner = ImageRunner()
    runner.set_options()
    runner.write({"src/team/app/Dockerfile": DOCKERFILE})
    assert repositories(runner, "") == ()
    assert runner.definition("src/team/app:image").output.value == "oci"


def test_an_image_for_the_local_engine_gets_its_tags_there(runner: ImageRunner) -> None:
    declare(runner, "output='docker', image_tags=['1.0', '{build_args.VERSION}-x']")
    definition = runner.definition("src/team/app:image")
    assert definition.job.repositories == ("app/image",)
    assert definition.local_tags == (
        "app/image:1.0",
        "app/image:1.2-x",
        "localhost:5000/app/image:1.0",
        "localhost:5000/app/image:1.2-x",
    )


def test_an_image_for_the_local_engine_is_also_named_as_in_its_registries() -> None:
    runner = ImageRunner()
    aliased = "'address': 'ghcr.io', 'use_local_alias': True"
    extra = "'address': 'quay.io/all', 'repository': 'acme/{name}', 'extra_image_tags': ['edge']"
    extra += ", 'use_local_alias': True"
    runner.set_options(f"registries={{'hub': {{{aliased}}}, 'quay': {{{extra}}}}}")
    runner.write({"src/team/app/Dockerfile": DOCKERFILE})
    declare(runner, "output='docker', registries=['@hub', '@quay'], image_tags=['1.0', '2.0']")
    assert runner.definition("src/team/app:image").local_tags == (
        "src/team/app/image:1.0",
        "src/team/app/image:2.0",
        "ghcr.io/src/team/app/image:1.0",
        "ghcr.io/src/team/app/image:2.0",
        "hub/src/team/app/image:1.0",
        "hub/src/team/app/image:2.0",
        "quay.io/all/acme/image:1.0",
        "quay.io/all/acme/image:2.0",
        "quay.io/all/acme/image:edge",
        "quay/acme/image:1.0",
        "quay/acme/image:2.0",
        "quay/acme/image:edge",
    )


@pytest.mark.parametrize("alias", ["platforms", "build_platform"])
def test_both_names_of_platforms_mean_the_same(runner: ImageRunner, alias: str) -> None:
    declare(runner, f"{alias}=['linux/arm64', 'linux/amd64']")
    definition = runner.definition("src/team/app:image").job.definition
    assert definition.platforms == ("linux/amd64", "linux/arm64")


def test_the_local_engine_gets_one_of_the_platforms_that_are_the_default() -> None:
    runner = ImageRunner()
    runner.set_options("default-platforms=['linux/arm/v7', 'linux/amd64', 'linux/arm64']")
    runner.write({"src/team/app/Dockerfile": DOCKERFILE})
    declare(runner, "output='docker'")
    (platform,) = runner.definition("src/team/app:image").job.definition.platforms
    assert platform in ("linux/amd64", "linux/arm64")
    declare(runner, "output='docker', platforms=['linux/arm/v7']")
    assert runner.definition("src/team/app:image").job.definition.platforms == ("linux/arm/v7",)
    declare(runner, "output='oci'")
    assert len(runner.definition("src/team/app:image").job.definition.platforms) == 3


def test_a_build_is_that_of_plain_buildx_unless_it_is_to_be_reproducible(
    runner: ImageRunner,
) -> None:
    declare(runner, "")
    definition = runner.definition("src/team/app:image").job.definition
    assert not definition.reproducible
    assert definition.build_args == ()
    assert definition.inline_cache


@pytest.mark.parametrize("output", ["registry", "oci"])
def test_a_reproducible_build_has_a_time_and_no_inline_cache(
    runner: ImageRunner, output: str
) -> None:
    declare(runner, f"reproducible=True, inline_cache=True, output={output!r}")
    definition = runner.definition("src/team/app:image").job.definition
    assert definition.reproducible
    assert definition.build_args == (("SOURCE_DATE_EPOCH", "0"),)
    assert not definition.inline_cache


@pytest.mark.parametrize(
    ("first_line", "fields", "expected"),
    [
        pytest.param("ARG SOURCE_DATE_EPOCH=7", "", {"SOURCE_DATE_EPOCH": "7"}, id="a default"),
        pytest.param("ARG SOURCE_DATE_EPOCH=plain", "", {}, id="a stage, which BuildKit looks at"),
        pytest.param(
            "ARG SOURCE_DATE_EPOCH=7",
            "extra_build_args=['SOURCE_DATE_EPOCH=9']",
            {"SOURCE_DATE_EPOCH": "9"},
            id="the target",
        ),
    ],
)
def test_the_time_is_that_of_the_target_or_else_of_the_dockerfile(
    runner: ImageRunner, first_line: str, fields: str, expected: dict[str, str]
) -> None:
    runner.write({"src/team/app/Dated": f"{first_line}\n{DOCKERFILE}"})
    declare(runner, f"source='Dated', reproducible=True, {fields}")
    definition = runner.definition("src/team/app:image").job.definition
    assert dict(definition.build_args) == expected


def test_a_reproducible_image_has_one_time(runner: ImageRunner) -> None:
    lines = "ARG SOURCE_DATE_EPOCH=7\nFROM scratch\nARG SOURCE_DATE_EPOCH=8\n"
    runner.write({"src/team/app/Dated": lines})
    declare(runner, "source='Dated', reproducible=True")
    assert runner.failure("src/team/app:image") == (
        "The `reproducible` field in target src/team/app:image must be False for a Dockerfile"
        " without a single SOURCE_DATE_EPOCH, but it sets 7 and 8. Set 'SOURCE_DATE_EPOCH=…' in"
        " `extra_build_args`."
    )


def test_a_url_gives_no_time_unless_the_dockerfile_has_its_checksum(
    runner: ImageRunner, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("text")
    checksum = f"--checksum=sha256:{hashlib.sha256(b'text').hexdigest()} "
    named = "ARG SOURCE_DATE_EPOCH=dated\nFROM scratch{}\nFROM scratch\n"
    with http_server(file_server(tmp_path)) as server:
        for flag in (checksum, ""):
            stage = f" AS dated\nADD {flag}{server}/file /"
            runner.write({"src/team/app/Dated": named.format(stage)})
            declare(runner, "source='Dated'")
            if flag:
                runner.definition("src/team/app:image")
        expected = (
            "The `extra_build_args` field in target src/team/app:image must set SOURCE_DATE_EPOCH"
            f" to a number of seconds, but the image takes its time from '{server}/file', of which"
            " only the content is known."
        )
        assert runner.failure("src/team/app:image") == expected
        runner.write({"src/team/app/Dated": named.format("")})
        declare(runner, f"source='Dated', build_contexts={{'dated': '{server}/file'}}")
        assert runner.failure("src/team/app:image") == expected


def test_an_image_for_the_local_engine_keeps_its_times() -> None:
    runner = ImageRunner()
    runner.set_options("reproducible=true")
    runner.write({"src/team/app/Dockerfile": DOCKERFILE})
    declare(runner, "output='oci'")
    assert runner.definition("src/team/app:image").job.definition.reproducible
    declare(runner, "output='oci', reproducible=False")
    assert not runner.definition("src/team/app:image").job.definition.reproducible
    declare(runner, "output='docker'")
    assert not runner.definition("src/team/app:image").job.definition.reproducible
    declare(runner, "output='docker', reproducible=True")
    assert "must not be True where `output` is 'docker'" in runner.failure("src/team/app:image")


def test_attestations_are_in_the_index_of_an_image_or_nowhere() -> None:
    runner = ImageRunner()
    runner.write({"src/team/app/Dockerfile": DOCKERFILE})
    sha = "sha256:" + "a" * 64
    attest = f"attest=['type=sbom,generator=scanner:1@{sha}']"
    declare(runner, f"{attest}, output='oci'")
    definition = runner.definition("src/team/app:image").job.definition
    assert definition.attestations == (f"type=sbom,generator=scanner:1@{sha}",)
    scanner = f"docker-image://docker.io/library/scanner:1@{sha}"
    assert scanner in {each.pinned for each in definition.sources}
    for output in ("docker", "tar"):
        declare(runner, f"{attest}, output={output!r}")
        said = runner.failure("src/team/app:image")
        assert f"must be left out where the output is {output!r}" in said
    declare(runner, f"{attest}, output='oci', reproducible=True")
    assert "is to be `reproducible`, but attestations" in runner.failure("src/team/app:image")
    declare(runner, "attest=['type=sbom,generator=A B'], output='oci'")
    assert "must name its generator by a reference" in runner.failure("src/team/app:image")
    declare(runner, "attest=['type=vex'], output='oci'")
    assert "must have the type 'provenance' or 'sbom'" in runner.failure("src/team/app:image")
    declare(runner, attest)
    runner.set_options("output=docker")
    assert runner.definition("src/team/app:image").job.definition.attestations == ()


def test_the_option_says_where_all_images_of_a_run_go() -> None:
    runner = ImageRunner()
    runner.write({"src/team/app/Dockerfile": DOCKERFILE})
    declare(
        runner,
        "registries=['@dev', '@prod'], reproducible=True, image_tags=['1'], output='registry',"
        " platforms=['linux/s390x', 'linux/arm64', 'linux/amd64']",
    )
    runner.set_options(f"registries={REGISTRIES}", "output=docker")
    definition = runner.definition("src/team/app:image")
    assert definition.job.repositories == ("src/team/app/image",)
    assert definition.local_tags == (
        "src/team/app/image:1",
        "localhost:5000/src/team/app/image:1",
        "ghcr.io/org/src/team/app/image:1",
    )
    assert len(definition.job.definition.platforms) == 1
    assert not definition.job.definition.reproducible
    names = runner.published_names("src/team/app:image")
    assert (names.output.value, names.repositories) == ("docker", ())

    runner.set_options(f"registries={REGISTRIES}", "output=oci")
    definition = runner.definition("src/team/app:image")
    assert (definition.output.value, definition.job.repositories) == ("oci", ())
    assert definition.job.definition.reproducible
    declare(runner, "registries=[]")
    runner.set_options("output=registry")
    assert runner.failure("src/team/app:image") == (
        "The option `[docker-buildkit].output` must not be 'registry' where an image has no"
        " registry, but src/team/app:image has none."
    )


def test_inline_cache_is_for_images_that_are_pushed(runner: ImageRunner) -> None:
    declare(runner, "inline_cache=True, output='oci'")
    assert not runner.definition("src/team/app:image").job.definition.inline_cache
    declare(runner, "inline_cache=True")
    assert runner.definition("src/team/app:image").job.definition.inline_cache


def test_a_pinned_base_image_needs_no_registry_to_be_asked(runner: ImageRunner) -> None:
    declare(runner, "")
    definition = runner.definition("src/team/app:image").job.definition
    assert definition.named_contexts == ()
    assert [each.pinned for each in definition.sources] == [
        "docker-image://ghcr.io/org/python:3.12@sha256:" + "a" * 64,
        "docker-image://ghcr.io/org/slim@sha256:" + "a" * 64,
    ]


def test_instructions_take_the_place_of_a_dockerfile(runner: ImageRunner) -> None:
    instructions = ["FROM scratch", "LABEL a=b"]
    declare(runner, f"source=None, instructions={instructions!r}")
    written = runner.definition("src/team/app:image").job.definition.dockerfile
    runner.write({"src/team/app/Same": "FROM scratch\nLABEL a=b\n"})
    declare(runner, "source='Same'")
    assert runner.definition("src/team/app:image").job.definition.dockerfile == written


def test_a_value_of_the_environment_is_the_builds_and_the_environment_is_not() -> None:
    runner = ImageRunner()
    runner.write({"src/team/app/Dockerfile": DOCKERFILE})
    declare(runner, "extra_build_args=['VERSION']")
    digests = []
    for environment in ({"VERSION": "1"}, {"VERSION": "1", "MORE": "x"}, {"VERSION": "2"}):
        runner.set_options(env=environment)
        digests.append(runner.definition("src/team/app:image").job.build_digest)
    assert digests[0] == digests[1]
    assert digests[0] != digests[2]


def test_a_dockerfile_that_is_in_no_context_counts(runner: ImageRunner) -> None:
    digests = set()
    for label in ("a=1", "a=2"):
        declare(runner, f"source=None, instructions=['FROM scratch', 'LABEL {label}']")
        definition = runner.definition("src/team/app:image")
        digests.add((definition.context_digest, definition.job.build_digest))
    assert len({context for context, _ in digests}) == 1
    assert len(digests) == 2


@pytest.mark.parametrize(
    ("tag", "requirement"),
    [
        ("a b", "hold tags, each of which must be at most"),
        ("{nope}", "only have known placeholder"),
    ],
)
def test_a_tag_that_publish_would_refuse_is_refused_before_a_build(
    runner: ImageRunner, tag: str, requirement: str
) -> None:
    declare(runner, f"image_tags=['{{git_sha:.7}}', '{tag}']")
    with pytest.raises(ExecutionError, match=f"The `image_tags` field in .* must {requirement}"):
        runner.definition("src/team/app:image")


def test_an_argument_that_only_names_use_is_in_no_key(runner: ImageRunner) -> None:
    def keys(tag: str) -> tuple[str, dict[str, str]]:
        declare(runner, f"extra_build_args=['TAG={tag}'], image_tags=['1-{{build_args.TAG}}']")
        definition = runner.definition("src/team/app:image")
        return definition.key, dict(definition.job.definition.build_args)

    assert keys("one") == keys("two")
    assert "TAG" not in keys("one")[1]
    declare(runner, "extra_build_args=['TAG=1'], image_tags=['1-{build_args.TAGS}']")
    with pytest.raises(ExecutionError, match="only hold arguments that the Dockerfile declares"):
        runner.definition("src/team/app:image")
