"""What a user reads when an image cannot be built, where no engine is needed to know it.

Every text says which target and field, what must hold, what was found, and what to do next.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pants.backend.docker.target_types import DockerImageTarget
from pants.engine.addresses import Address
from pants.engine.target import Target

from pants_docker_buildkit.errors import (
    ImageBuildError,
    ImageCheckError,
    ImageLostError,
    ImageNotKeptError,
    InvalidRecordError,
)
from pants_docker_buildkit.testutil import ImageRunner, create_rule_runner
from pants_docker_buildkit.util_rules import missing_paths
from pants_docker_buildkit.util_rules.build_settings import field_caches
from pants_docker_buildkit.util_rules.context_providers import source_paths

APP = Address("src/app", target_name="image")
REGISTRIES = '{"dev": {"address": "localhost:5000", "default": True}}'
SCRATCH = "FROM scratch\n"
HUB = "If an image is meant, write 'docker.io/library/"
GUIDES = "file(name='guide', source='guide.txt')\nfiles(name='all', sources=['*'])"
TWO_STAGES = "FROM scratch AS build\nFROM scratch AS release\n"


@pytest.fixture(scope="module")
def runner() -> ImageRunner:
    """A repository with some targets beside the one that is wrong."""
    runner = ImageRunner(create_rule_runner(target_types=[DockerImageTarget]))
    runner.set_options(f"registries={REGISTRIES}")
    runner.write(
        {
            "old/BUILD": "docker_image(name='image', instructions=['FROM scratch'])",
            "docs/BUILD": GUIDES,
            "docs/guide.txt": "",
            "base/BUILD": "docker_buildkit_image(name='image')",
            "base/Dockerfile": SCRATCH,
        }
    )
    return runner


@pytest.fixture(scope="module")
def runner_with_options() -> ImageRunner:
    """A repository in which nothing is wrong but an option."""
    runner = ImageRunner()
    runner.write({"app/BUILD": "docker_buildkit_image(name='image')", "app/Dockerfile": SCRATCH})
    return runner


def failure(runner: ImageRunner, name: str, fields: str, dockerfile: str | None) -> str:
    """What the user reads for `name:image`, with `HERE` in place of its directory."""
    runner.write({f"{name}/BUILD": f"docker_buildkit_image(name='image', {fields})"})
    if dockerfile is not None:
        runner.write({f"{name}/Dockerfile": dockerfile})
    return runner.failure(f"{name}:image").replace(name, "HERE")


@pytest.mark.parametrize(
    ("fields", "dockerfile", "text"),
    [
        pytest.param(
            "",
            None,
            "The `source` field in target HERE:image must name a file that exists, but there is no"
            " HERE/Dockerfile. Create it, or set `instructions`.",
            id="missing-dockerfile",
        ),
        pytest.param(
            "source='Other'",
            SCRATCH,
            "The `source` field in target HERE:image must name a file that exists, but there is no"
            " HERE/Other. Create it, or set `instructions`.",
            id="missing-other-dockerfile",
        ),
        pytest.param(
            "build_contexts={'tools': 'python:3.12'}",
            SCRATCH,
            "The `build_contexts` field in target HERE:image must name targets that exist, but for"
            " 'tools' it names 'python:3.12'. Write the address of a target, 'docker-image://' with"
            " a reference, or a URL.",
            id="image-that-is-written-like-a-target",
        ),
        pytest.param(
            "instructions=['FROM scratch']",
            SCRATCH,
            "The `instructions` field in target HERE:image must not be set where `source` names a"
            " Dockerfile, but there is HERE/Dockerfile. Remove one of them, or set `source=None`.",
            id="source-and-instructions",
        ),
        pytest.param(
            "target_stage='prod'",
            TWO_STAGES,
            "The `target_stage` field in target HERE:image must name a stage of HERE/Dockerfile,"
            " but 'prod' is not one. Stages there: 'build', 'release'.",
            id="missing-stage",
        ),
        pytest.param(
            "target_stage='prod'",
            SCRATCH,
            "The `target_stage` field in target HERE:image must name a stage of HERE/Dockerfile,"
            " but 'prod' is not one. None of its stages has a name.",
            id="missing-stage-where-none-has-a-name",
        ),
        pytest.param(
            "platforms=['linux']",
            SCRATCH,
            "The `platforms` field in target HERE:image must hold platforms, each of which must"
            " name an architecture too, as in 'linux/amd64', but 'linux' is not valid.",
            id="bad-platform",
        ),
        pytest.param(
            "platforms=['linux/amd64'], build_platform=['linux/amd64']",
            SCRATCH,
            "The `build_platform` field in target HERE:image must not be set together with"
            " `platforms`, but both are. They mean the same; keep `platforms`.",
            id="both-names-of-platforms",
        ),
        pytest.param(
            "",
            "FROM Team/App:1\n",
            "The `source` field in target HERE:image must name a Dockerfile that BuildKit can"
            " build, but HERE/Dockerfile is not one: line 1 names the image 'Team/App:1', which"
            " must have a valid repository name: 'App' must be in lower case.",
            id="bad-reference",
        ),
        pytest.param(
            "extra_build_args=['BUILDKIT_SYNTAX=']",
            SCRATCH,
            "The `source` field in target HERE:image must name a Dockerfile that BuildKit can"
            " build, but HERE/Dockerfile is not one: the build argument 'BUILDKIT_SYNTAX' names the"
            " image '', which must have a valid repository name: '' must consist of lower-case"
            " letters and digits, separated by '/', '-', '.', '_' or '__'.",
            id="no-frontend",
        ),
        pytest.param(
            "source=None, instructions=['FROM Team/App:1']",
            None,
            "The `instructions` field in target HERE:image must be a Dockerfile that BuildKit can"
            " build, but they are not: line 1 names the image 'Team/App:1', which must have a valid"
            " repository name: 'App' must be in lower case.",
            id="bad-instructions",
        ),
        pytest.param(
            "repository='{name}!'",
            SCRATCH,
            "The `repository` field in target HERE:image must consist of lower-case letters and"
            " digits, separated by '/', '-', '.', '_' or '__', but it is 'image!'.",
            id="bad-repository",
        ),
        pytest.param(
            "repository='{nme}'",
            SCRATCH,
            "The `repository` field in target HERE:image must only have known placeholders in"
            " braces, but '{nme}' has '{nme}'. Known are '{default_repository}', '{directory}',"
            " '{full_directory}', '{name}', '{pants.hash}', '{parent_directory}'. Write '{{' and"
            " '}}' where braces stand for themselves.",
            id="bad-placeholder",
        ),
        pytest.param(
            """image_labels={'meta': '{"id": "a"}'}""",
            SCRATCH,
            "The `image_labels` field in target HERE:image must only have known placeholders in"
            " braces, but '{\"id\": \"a\"}' has a '{' that belongs to none. Write '{{' and '}}'"
            " where braces stand for themselves.",
            id="bare-braces",
        ),
        pytest.param(
            "",
            f"FROM ghcr.io/org/app@sha512:{'a' * 128}\n",
            "The `source` field in target HERE:image must name a Dockerfile that BuildKit can"
            " build, but HERE/Dockerfile is not one: line 1 names the image"
            f" 'ghcr.io/org/app@sha512:{'a' * 128}', which must have a sha256 digest:"
            f" 'sha512:{'a' * 128}' must be 'sha256:' followed by 64 lower-case hexadecimal"
            " characters. Write the sha256 digest of the same image, which"
            " 'docker buildx imagetools inspect ghcr.io/org/app' prints, or the tag alone.",
            id="sha512-digest",
        ),
        pytest.param(
            "output='docker', image_tags=['a b']",
            SCRATCH,
            "The `image_tags` field in target HERE:image must hold tags, each of which must be at"
            " most 128 letters, digits, '_', '.' and '-', and not start with '.' or '-', but 'a b'"
            " is not valid.",
            id="bad-tag",
        ),
        pytest.param(
            "registries=['@prod']",
            SCRATCH,
            "The `registries` field in target HERE:image must hold aliases that exist, but '@prod'"
            " is not one. Aliases in '[docker-buildkit.registries]': '@dev'.",
            id="bad-registry-alias",
        ),
        pytest.param(
            "registries=['https://ghcr.io/Org']",
            SCRATCH,
            "The `registries` field in target HERE:image must hold registries, each of which must"
            " be in lower case, but 'https://ghcr.io/Org' is not one. Aliases in"
            " '[docker-buildkit.registries]': '@dev'.",
            id="bad-registry-address",
        ),
        pytest.param(
            "registries=['dev']",
            SCRATCH,
            "The `registries` field in target HERE:image must hold registries, each of which must"
            " have a '.' or a port: Docker takes 'dev/app' for one of docker.io, but 'dev' is not"
            " one. Aliases in '[docker-buildkit.registries]': '@dev'.",
            id="registry-alias-without-its-sign",
        ),
        pytest.param(
            "extra_build_args=['VERSION=1']",
            SCRATCH,
            "The `extra_build_args` field in target HERE:image must only hold arguments that the"
            " Dockerfile declares, but no `ARG` of HERE/Dockerfile that the build reaches declares"
            " 'VERSION'. Add 'ARG VERSION' to it, or remove the argument.",
            id="undeclared-build-argument",
        ),
        pytest.param(
            "extra_build_args=['VERSION']",
            f"{SCRATCH}ARG VERSION\n",
            "The `extra_build_args` field in target HERE:image must hold 'NAME=value', or a NAME"
            " that the environment of Pants has, but 'VERSION' is not in the environment. Set it,"
            " or write 'VERSION=…'.",
            id="build-argument-not-in-the-environment",
        ),
        pytest.param(
            "extra_build_args=['1ST']",
            SCRATCH,
            "The `extra_build_args` field in target HERE:image must hold 'NAME=value', or a NAME"
            " that the environment of Pants has, but '1ST' is not in the environment. Set it,"
            " or write '1ST=…'.",
            id="build-argument-that-no-variable-is-called",
        ),
        pytest.param(
            "",
            "ARG BASE=:bse\nFROM $BASE\n",
            "The `source` field in target HERE:image must name a Dockerfile that BuildKit can"
            " build, but HERE/Dockerfile is not one: line 1 gives ARG BASE the value ':bse', which"
            " is neither an image reference nor the address of a target that exists. Targets in"
            " HERE: ':image'.",
            id="address-that-does-not-exist",
        ),
        pytest.param(
            "",
            "ARG BASE=base:imaje\nFROM $BASE\n",
            "The `source` field in target HERE:image must name a Dockerfile that BuildKit can"
            " build, but HERE/Dockerfile is not one: line 1 gives ARG BASE the value 'base:imaje',"
            " which looks like the address of a target that does not exist. Targets in base:"
            " ':image'. If an image is meant, write 'docker.io/library/base:imaje'.",
            id="address-that-could-be-an-image-of-a-stranger",
        ),
        *(
            pytest.param(
                "",
                dockerfile,
                "The `source` field in target HERE:image must name a Dockerfile that BuildKit can"
                f" build, but HERE/Dockerfile is not one: line {line} names the image {text!r},"
                " which is the address of a target, and addresses mean targets in an ARG only."
                f" Write 'ARG BASE={text}' before the first FROM, and '$BASE' in its place, or set"
                f""" `build_contexts={{"base": "{text}"}}` and write 'base'.{meant}""",
                id=name,
            )
            for name, dockerfile, line, text, meant in (
                ("literal-from", "FROM base:image\n", 1, "base:image", f" {HUB}base:image'."),
                (
                    "literal-copy",
                    f"{SCRATCH}COPY --from=base:image / /\n",
                    2,
                    "base:image",
                    f" {HUB}base:image'.",
                ),
                (
                    "literal-mount",
                    f"{SCRATCH}RUN --mount=from=base:image,target=/x true\n",
                    2,
                    "base:image",
                    f" {HUB}base:image'.",
                ),
                ("literal-root", f"{SCRATCH}COPY --from=//base:image / /\n", 2, "//base:image", ""),
                (
                    "literal-variable",
                    "ARG NAME=image\nFROM base:$NAME\n",
                    2,
                    "base:image",
                    f" {HUB}base:image'.",
                ),
            )
        ),
        pytest.param(
            "",
            "ARG BASE=docs:guide\nFROM $BASE\n",
            "The `source` field in target HERE:image must give ARG BASE, which names an image, the"
            " address of an image target, but docs:guide is not one. To copy from its files, name"
            " it in `build_contexts`.",
            id="address-of-what-is-no-image",
        ),
        pytest.param(
            "",
            "ARG BASE=old:image\nFROM $BASE\n",
            "The `source` field in target HERE:image must give ARG BASE, which names an image, the"
            " address of an image target, but old:image is not one: it is a docker_image, which has"
            " no digest in a registry. Make it a docker_buildkit_image, as `pants"
            " migrate-docker-images old:image` does.",
            id="address-of-a-docker-image",
        ),
        pytest.param(
            "build_contexts={'base': 'old:image'}",
            "FROM base\n",
            "The `build_contexts` field in target HERE:image must name images that have a digest,"
            " but for 'base' it names old:image, a docker_image, which has no digest in a registry."
            " Make it a docker_buildkit_image, as `pants migrate-docker-images old:image` does.",
            id="docker-image-as-context",
        ),
        pytest.param(
            "build_contexts={'Tiny': 'docs:guide'}",
            f"{SCRATCH}COPY --from=tiny /a /\n",
            "The `build_contexts` field in target HERE:image must name contexts like images, each"
            " of which must have a valid repository name: 'Tiny' must be in lower case,"
            " but 'Tiny' is one of them. Write 'tiny'.",
            id="context-in-upper-case",
        ),
        pytest.param(
            "build_contexts={'a': 'docs:guide', 'docker.io/library/a:latest': 'docs:guide'}",
            SCRATCH,
            "The `build_contexts` field in target HERE:image must have each name once, but 'a' and"
            " 'docker.io/library/a:latest' mean the same.",
            id="one-context-by-two-names",
        ),
        pytest.param(
            "extra_build_args=['=x']",
            SCRATCH,
            "The `extra_build_args` field in target HERE:image must hold 'NAME=value', or a NAME,"
            " but one of them is '=x'.",
            id="build-argument-without-a-name",
        ),
        pytest.param(
            f"build_contexts={{'src': 'https://me:token@git.example/a.git#{'a' * 40}'}}",
            SCRATCH,
            "The `build_contexts` field in target HERE:image must have no password in Git URLs,"
            " which caches would show to others (give BuildKit a secret with the ID"
            f" 'GIT_AUTH_TOKEN'), but 'src' is 'https://***@git.example/a.git#{'a' * 40}'.",
            id="git-url-with-a-password",
        ),
        pytest.param(
            "build_contexts={'docs': 'docs:guides'}",
            SCRATCH,
            "The `build_contexts` field in target HERE:image must name targets that exist, but for"
            " 'docs' it names 'docs:guides'. Targets in docs: ':all', ':guide'.",
            id="named-target-that-does-not-exist",
        ),
        pytest.param(
            "output='registry', registries=[]",
            SCRATCH,
            "The `output` field in target HERE:image must not be 'registry' for an image without a"
            " registry, but `registries` is empty and no configured registry is a default."
            " Configure '[docker-buildkit.registries]', or use 'oci'.",
            id="push-without-registry",
        ),
        pytest.param(
            "output='docker', build_platform=['linux/amd64', 'linux/arm64']",
            SCRATCH,
            "The `build_platform` field in target HERE:image must name one platform where `output`"
            " is 'docker', but it names linux/amd64, linux/arm64. Push the image or write it as a"
            " layout to have several. For one run, '[docker-buildkit].output' has the engine get"
            " this machine's.",
            id="several-platforms-in-the-local-engine",
        ),
        pytest.param(
            "environment='far'",
            SCRATCH,
            "The `environment` field in target HERE:image must be '__local__', because BuildKit is"
            " reached from this machine, but it is 'far'. To build elsewhere, name a remote builder"
            " in `builder`.",
            id="environment-that-is-not-local",
        ),
        pytest.param(
            "context_root='../outside'",
            SCRATCH,
            "The `context_root` field in target HERE:image must name a directory below the build"
            " root, but it leads to '../outside'.",
            id="context-root-outside",
        ),
        pytest.param(
            "",
            "FROM 127.0.0.1:1/team/app:1\n",
            "The base image 127.0.0.1:1/team/app:1 of HERE:image (line 1 of its Dockerfile) must"
            " have a digest, but its registry did not return one. Could not look up"
            " 127.0.0.1:1/team/app:1 (connection refused). Check that 127.0.0.1:1 is up and"
            " reachable from here, then run again. To build without asking, pin it as"
            " '127.0.0.1:1/team/app:1@sha256:…'. If it is a target of this repository, give an"
            " `ARG` its address and use that in `FROM`. What only the local engine has cannot be a"
            " base: make it a target.",
            id="base-image-in-a-registry-that-is-not-reachable",
        ),
        pytest.param(
            "",
            f"{SCRATCH}COPY lib.txt /\n",
            "Line 2 of HERE/Dockerfile copies 'lib.txt', but no dependency of HERE:image provides"
            " it, or an ignore file excludes it. Add a target that has it to `dependencies`.",
            id="missing-file",
        ),
        pytest.param(
            "dependencies=['docs:guide']",
            f"{SCRATCH}COPY guide.txt /\n",
            "Line 2 of HERE/Dockerfile copies 'guide.txt', but no dependency of HERE:image provides"
            " it, or an ignore file excludes it. Did you mean 'docs/guide.txt'?",
            id="missing-file-with-a-suggestion",
        ),
        pytest.param(
            "dependencies=['docs:guide'], context_root='./'",
            f"{SCRATCH}COPY guide.txt /\n",
            "Line 2 of HERE/Dockerfile copies 'guide.txt', but no dependency of HERE:image provides"
            " it, or an ignore file excludes it. Some dependencies lie outside of `context_root`,"
            " such as 'docs/guide.txt': paths are relative to that directory.",
            id="missing-file-that-lies-outside",
        ),
        pytest.param(
            "source=None, instructions=['FROM scratch', 'COPY lib.txt /']",
            None,
            "Line 2 of the instructions copies 'lib.txt', but no dependency of HERE:image provides"
            " it, or an ignore file excludes it. Add a target that has it to `dependencies`.",
            id="missing-file-of-instructions",
        ),
    ],
)
def test_the_user_reads(
    runner: ImageRunner,
    request: pytest.FixtureRequest,
    fields: str,
    dockerfile: str | None,
    text: str,
) -> None:
    name = request.node.callspec.id
    assert failure(runner, name, fields, dockerfile) == text


@pytest.mark.parametrize(
    ("name", "content", "finding"),
    [
        ("pattern", "*.txt\n[a-\n", "the pattern '[a-' in {} must close its '[' and end its"),
        ("line", f"a\n{'b' * 70_000}\n", "line 2 of {} must be shorter than 65536 bytes."),
    ],
)
def test_a_bad_ignore_file_is_named_with_the_field_of_its_context(
    runner: ImageRunner, name: str, content: str, finding: str
) -> None:
    must = "field in target HERE:image must have an ignore file that BuildKit can read, but"
    main = f"ignore-{name}"
    runner.write({f"{main}/.dockerignore": content})
    text = failure(runner, main, "context_root='./'", SCRATCH)
    assert text.startswith(f"The `context_root` {must} {finding.format('HERE/.dockerignore')}")
    named = f"ignore-named-{name}"
    runner.write({f"{named}/.dockerignore": content, f"{named}/a": ""})
    runner.write({f"{named}/BUILD": "files(name='web', sources=['a'])"})
    image = f"{named}-image"
    fields = f"build_contexts={{'web': '{named}:web'}}"
    text = failure(runner, image, fields, f"{SCRATCH}COPY --from=web a /\n")
    assert text.startswith(
        f"The `build_contexts` {must} {finding.format(f'{named}/.dockerignore')}"
    )


@pytest.mark.parametrize(
    ("name", "build", "advice"),
    [
        ("gone", "", "Add a target that has it to `dependencies`."),
        ("unowned", "", "unowned/x/a.yaml exists, but no target owns it: add a `files` target."),
        (
            "sources",
            "docker_buildkit_manifests(name='k8s', sources=['x/a.yaml'])",
            "sources/x belongs to sources:k8s (`docker_buildkit_manifests`). Only `file`,",
        ),
        (
            "excluded",
            "file(name='a', source='x/a.yaml')",
            "excluded/x/a.yaml exists, but excluded/Dockerfile.dockerignore excludes it: add an",
        ),
        ("hidden", "", "hidden/.x/a exists, but `.gitignore` or `[GLOBAL].pants_ignore` hides it"),
        ("empty", "", "empty/e has no file in it, and Pants hands on files only: make it in the"),
        ("dangling", "", "dangling/l is a link that leads nowhere, and Pants hands on files only"),
        ("pipe", "", "pipe/p is no plain file, and Pants hands on files only"),
    ],
)
def test_a_path_that_is_there_but_not_in_the_context_is_explained(
    runner: ImageRunner, name: str, build: str, advice: str
) -> None:
    copied = {
        "gone": "x/b",
        "sources": "x",
        "hidden": ".x/a",
        "empty": "e",
        "dangling": "l",
        "pipe": "p",
    }.get(name, "x/a.yaml")
    if name == "excluded":
        runner.write({f"{name}/Dockerfile.dockerignore": "**/*.yaml\n"})
    runner.write({f"{name}/x/a.yaml": "", f"{name}/.x/a": ""})
    here = Path(runner.runner.build_root, name)
    (here / "e/e").mkdir(parents=True)
    (here / "l").symlink_to("nowhere")
    os.mkfifo(here / "p")
    runner.write({f"{name}/Dockerfile": f"{SCRATCH}COPY {name}/{copied} /\n"})
    runner.write({f"{name}/BUILD": f"{build}\ndocker_buildkit_image(name='image')"})
    assert advice in runner.failure(f"{name}:image")


def test_a_hidden_path_is_explained_once_it_is_there(runner: ImageRunner) -> None:
    runner.write({"appears/Dockerfile": f"{SCRATCH}COPY appears/.x/a /\n"})
    runner.write({"appears/BUILD": "docker_buildkit_image(name='image')"})
    assert "hides it" not in runner.failure("appears:image")
    path = Path(runner.runner.build_root, "appears/.x/a")
    path.parent.mkdir()
    # Pants does not hear of it.
    path.touch()
    runner.set_options(f"registries={REGISTRIES}")
    assert "hides it" in runner.failure("appears:image")


def test_targets_are_looked_at_once_for_all_paths_that_are_explained(
    runner: ImageRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Address] = []

    def see(target: Target) -> Iterator[str]:
        seen.append(target.address)
        return source_paths(target)

    monkeypatch.setattr(missing_paths, "source_paths", see)
    for name in ("first", "second"):
        runner.write({f"{name}/BUILD": "docker_buildkit_image(name='image')", f"{name}/a": ""})
        runner.write({f"{name}/Dockerfile": f"{SCRATCH}COPY {name}/a /\n"})
    assert "no target owns it" in runner.failure("first:image")
    assert seen
    seen.clear()
    assert "no target owns it" in runner.failure("second:image")
    assert not seen


def test_a_directory_is_no_dockerfile(runner: ImageRunner) -> None:
    runner.write({"odd/BUILD": "docker_buildkit_image(name='image')", "odd/Dockerfile/a.txt": ""})
    assert "name a file that exists, but there is no odd/Dockerfile" in runner.failure("odd:image")


def test_an_image_of_docker_hub_may_be_called_like_a_directory(runner: ImageRunner) -> None:
    # `docs` is a directory with targets, but none of them is called `3.12`.
    dockerfile = "ARG BASE=docs:3.12\nFROM scratch AS unused\nFROM scratch\n"
    runner.write({"hub/BUILD": "docker_buildkit_image(name='image')", "hub/Dockerfile": dockerfile})
    assert runner.inferred("hub:image") == set()
    text = failure(runner, "hub-base", "", "ARG BASE=docs:3.12\nFROM $BASE\n")
    assert text.startswith("The base image docs:3.12 of HERE:image (line 2 of its Dockerfile) must")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        pytest.param(
            ('registries={"dev": {}}',),
            "The option `[docker-buildkit].registries.dev` must have an `address`, such as"
            ' "localhost:5000", but has none.',
            id="registry-without-address",
        ),
        pytest.param(
            ('registries={"dev": {"address": "http://ghcr.io"}}',),
            "The option `[docker-buildkit].registries.dev.address` must have no 'http://'; a"
            " registry with plain HTTP needs the setting `insecure`, but is 'http://ghcr.io'.",
            id="registry-with-a-url",
        ),
        pytest.param(
            ('registries={"dev": {"address": "ghcr.io", "defualt": True}}',),
            "The option `[docker-buildkit].registries.dev` must only have the settings"
            " `address`, `ca_file`, `cert_file`, `default`, `digest_tags`, `extra_image_tags`,"
            " `immutable_tags`, `insecure`, `key_file`, `password`, `repositories`, `repository`,"
            " `skip_push`, `use_local_alias`, `username`, but has `defualt`.",
            id="registry-with-an-unknown-setting",
        ),
        pytest.param(
            ('registries={"dev": {"address": "ghcr.io", "insecure": "maybe"}}',),
            "The option `[docker-buildkit].registries.dev.insecure` must be true or false, but is"
            " 'maybe'.",
            id="registry-with-a-bad-boolean",
        ),
        pytest.param(
            ('registries={"dev": {"address": "ghcr.io", "extra_image_tags": "1.0"}}',),
            "The option `[docker-buildkit].registries.dev.extra_image_tags` must be a list of"
            ' texts, as ["one", "two"], but is \'1.0\'.',
            id="registry-with-bad-tags",
        ),
        pytest.param(
            ('registries={"dev": {"address": "ghcr.io", "repository": 5}}',),
            "The option `[docker-buildkit].registries.dev.repository` must be a text, but is 5.",
            id="registry-with-a-bad-repository",
        ),
        pytest.param(
            ('registries={"dev": {"host": "ghcr.io", "password": "s3cret"}}',),
            "The option `[docker-buildkit].registries.dev` must have an `address`, such as"
            " \"localhost:5000\", but only has 'host', 'password'.",
            id="registry-with-a-password-and-without-address",
        ),
        pytest.param(
            ('registries={"dev": {"address": "a.io", "username": "me", "password": "s3cret"}}',),
            "The option `[docker-buildkit].registries.dev.password` must be `env=NAME`, `file=PATH`"
            " or `command=COMMAND`, but is something else, which is not shown here because it may"
            " be the password.",
            id="password-in-the-options",
        ),
        pytest.param(
            ('registries={"dev": {"address": "a.io", "username": "me"}}',),
            "The option `[docker-buildkit].registries.dev.password` must be a text beside"
            " `username`, but is not.",
            id="username-without-password",
        ),
        pytest.param(
            ('registries={"dev": {"address": "a.io", "repositories": ["a"]}}',),
            "The option `[docker-buildkit].registries.dev.repositories` must stand beside"
            " `username` and `password`, which it is about, but it stands alone.",
            id="repositories-without-account",
        ),
        pytest.param(
            ('registries={"dev": {"address": "a.io", "ca_file": 5}}',),
            "The option `[docker-buildkit].registries.dev.ca_file` must be the path of a file, but"
            " is 5.",
            id="ca-file-that-is-no-path",
        ),
        pytest.param(
            ('registries={"dev": {"address": "ghcr.io", "default": True}}', "default-repository=-"),
            "The option `[docker-buildkit].default_repository` must consist of lower-case letters"
            " and digits, separated by '/', '-', '.', '_' or '__', but it gives '-' for app:image.",
            id="bad-default-repository",
        ),
        pytest.param(
            ('registries={"dev": {"address": "a.io", "default": True}}', "default-repository={n}"),
            "The option `[docker-buildkit].default_repository` must only have known placeholders in"
            " braces, but '{n}' has '{n}'. Known are '{directory}', '{full_directory}', '{name}',"
            " '{pants.hash}', '{parent_directory}'. Write '{{' and '}}' where braces stand for"
            " themselves.",
            id="bad-placeholder-in-the-default-repository",
        ),
        pytest.param(
            ("default-platforms=linux",),
            "The option `[docker-buildkit].default_platforms` must hold platforms, each of which"
            " must name an architecture too, as in 'linux/amd64', but 'linux' is not valid.",
            id="bad-default-platform",
        ),
        pytest.param(
            ("external-sources=a",),
            "The option `[docker-buildkit].external_sources` must hold images as"
            " 'docker-image://REFERENCE', URLs, and Git URLs, without passwords, but 'a' is not"
            " one of them.",
            id="bad-external-source-of-all",
        ),
        pytest.param(
            ('registries={"a": {"address": "a.io", "default": True, "repository": "{name}:1"}}',),
            "The option `[docker-buildkit].registries.a.repository` must consist of lower-case"
            " letters and digits, separated by '/', '-', '.', '_' or '__', but it gives 'image:1'"
            " for app:image.",
            id="bad-repository-of-a-registry",
        ),
        *(
            pytest.param(
                (f"default-context-root={path}",),
                "The option `[docker-buildkit].default_context_root` must name a directory by its"
                f" path from the build root, and one below it, but it is '{path}'.",
                id=f"bad-default-context-root{path}",
            )
            for path in ("/src", "../src")
        ),
    ],
)
def test_the_user_of_options_reads(
    runner_with_options: ImageRunner, options: tuple[str, ...], text: str
) -> None:
    runner_with_options.set_options(*options)
    assert runner_with_options.failure("app:image") == text


@pytest.mark.parametrize("alias", ["cache_from", "cache_to"])
def test_a_cache_without_a_type_is_refused_before_buildx_is_called(
    runner: ImageRunner, alias: str
) -> None:
    name = alias.replace("_", "-")
    runner.write({f"{name}/BUILD": f"docker_buildkit_image(name='image', {alias}=['ref=a,x=y'])"})
    field_set = runner.field_set(f"{name}:image")
    with pytest.raises(Exception, match="must") as raised:
        tuple(field_caches(field_set, getattr(field_set, alias), "/home/me"))
    assert str(raised.value) == (
        f"The `{alias}` field in target {name}:image must name caches, each of which must have a"
        " type, as in 'type=registry,ref=ghcr.io/org/cache', but 'ref=a,x=y' is not valid."
    )


def test_a_failed_build_is_told_with_its_target_first() -> None:
    assert str(ImageBuildError(APP, "\nERROR: no space left\n")) == (
        "Building src/app:image failed:\n\nERROR: no space left"
    )


def test_a_registry_that_cannot_be_asked_makes_a_reference_untrusted() -> None:
    text = str(ImageCheckError(APP, "Could not look up a (HTTP 503). Check that a is up."))
    assert text == (
        "The image src/app:image has a record, but it is not known whether it is still there, so"
        " its reference cannot be trusted. Could not look up a (HTTP 503). Check that a is up."
    )


def test_a_registry_that_drops_what_it_accepts_is_named() -> None:
    reference = f"ghcr.io/org/app@sha256:{'a' * 64}"
    assert str(ImageNotKeptError(APP, reference)) == (
        f"The image src/app:image was built and sent without an error, but {reference} is not"
        " there. Check whether a retention policy or a proxy in front of the registry drops it."
    )


def test_a_registry_that_loses_an_image_again_and_again_ends_the_chain() -> None:
    assert str(ImageLostError(APP, 64)).startswith(
        "The image src/app:image was lost in its registry 64 times, and is not built again."
    )


def test_a_cached_result_of_another_build_says_how_to_get_rid_of_it() -> None:
    assert str(InvalidRecordError(APP, "Its schema is 2.")) == (
        "The cached result of src/app:image must be that of its build, but: Its schema is 2. Delete"
        " the directory `[GLOBAL].local_store_dir`, and run once with --no-remote-cache-read, which"
        " replaces the entry in a remote cache, too, if this machine writes to it."
    )


def test_an_image_that_is_called_as_a_directory_of_images_is_told(
    runner: ImageRunner, caplog: pytest.LogCaptureFixture
) -> None:
    dockerfile = "FROM scratch\nCOPY --from=base:imaje / /\nCOPY --from=base:1.2 / /\n"
    dockerfile += "COPY --from=docs:guide / /\n"
    runner.write({"near/BUILD": "docker_buildkit_image(name='image')"})
    runner.write({"near/Dockerfile": dockerfile})
    assert runner.inferred("near:image") == set()
    told = [each for each in caplog.messages if "Docker Hub" in each]
    assert told == [
        "Line 2 of near/Dockerfile of near:image names 'base:imaje', which is looked up at Docker"
        " Hub, not in this repository. Targets in base: ':image'. If an image is meant, write"
        " 'docker.io/library/base:imaje'."
    ]


def test_a_named_context_may_be_called_as_a_target(runner: ImageRunner) -> None:
    fields = "build_contexts={'base:image': 'base:image'}"
    runner.write({"shadow/BUILD": f"docker_buildkit_image(name='image', {fields})"})
    runner.write({"shadow/Dockerfile": "FROM base:image\n"})
    assert runner.inferred("shadow:image") == {"base:image"}
