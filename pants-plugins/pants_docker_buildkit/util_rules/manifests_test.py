"""Manifests name images by address in the repository, and by digest where they are deployed."""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from pants.backend.shell.target_types import ShellCommandTarget
from pants.core.goals.package import BuiltPackage
from pants.core.goals.run import RunRequest
from pants.core.target_types import ArchiveFieldSet, FileSourceField
from pants.engine.fs import Digest, DigestContents
from pants.engine.internals.scheduler import ExecutionError
from pants.engine.rules import QueryRule
from pants.engine.target import (
    HydratedSources,
    HydrateSourcesRequest,
    InferredDependencies,
    SourcesField,
)

from pants_docker_buildkit.registry.testing.fake_registry import FakeRegistry
from pants_docker_buildkit.solver.testing.fake_builder import FakeBuilder
from pants_docker_buildkit.testutil import ImageRunner, create_rule_runner
from pants_docker_buildkit.util_rules.manifests import InferManifestsDependencies, ManifestsFieldSet

APP = """\
docker_buildkit_image(
    name='image', instructions=['FROM scratch', 'LABEL content={content}', '# {comment}'],
)
docker_buildkit_manifests(name='manifests', sources=['k8s/*.yaml', 'values.yaml'])
"""
POD = """\
# Two containers.
kind: Pod
spec:
  containers:
    - image: pants://:image     # this one
    - image: "pants://other:image"
"""
VALUES = "image: 'pants://app:image'\n"
DEPENDENTS = """\
shell_command(
    name='command',
    command='cat app/manifests/values.yaml >out',
    tools=['cat'],
    execution_dependencies=['app:manifests'],
    output_files=['out'],
    workdir='/',
)
archive(name='archive', format='tar', packages=['app:manifests'])
"""


@pytest.fixture(scope="module")
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry().running() as registry:
        yield registry


@pytest.fixture(scope="module")
def builder(registry: FakeRegistry, tmp_path_factory: pytest.TempPathFactory) -> FakeBuilder:
    builder = FakeBuilder(tmp_path_factory.mktemp("docker"), registry)
    for content in ("one", "two"):
        builder.prepare(content, "app/image")
    builder.prepare("other", "other/image")
    return builder


@pytest.fixture(scope="module")
def repository(registry: FakeRegistry, builder: FakeBuilder) -> ImageRunner:
    runner = ImageRunner(
        create_rule_runner(
            (ShellCommandTarget,),
            (
                QueryRule(BuiltPackage, (ArchiveFieldSet,)),
                QueryRule(BuiltPackage, (ManifestsFieldSet,)),
                QueryRule(HydratedSources, (HydrateSourcesRequest,)),
                QueryRule(RunRequest, (ManifestsFieldSet,)),
                QueryRule(InferredDependencies, (InferManifestsDependencies,)),
                QueryRule(DigestContents, (Digest,)),
            ),
        )
    )
    runner.set_options(
        "default-repository={directory}/{name}",
        f'registries={{"test": {{"address": "{registry.address}", "default": True}}}}',
        env={"PATH": builder.path, "HOME": "/nonexistent"},
        inherit=(),
    )
    other = ["FROM scratch", "LABEL content=other"]
    runner.write(
        {
            "other/BUILD": f"docker_buildkit_image(name='image', instructions={other})\n"
            "docker_buildkit_image(name='kept', output='oci', instructions=['FROM scratch'])\n"
            "docker_buildkit_image(name='local', output='docker', instructions=['FROM scratch'])\n"
            "docker_buildkit_image(name='many', platforms=parametrize(a=['linux/amd64'],"
            " b=['linux/arm64']), instructions=['FROM scratch'])\n"
            "files(name='files', sources=['*.txt'])\n",
            "other/a.txt": "",
        }
    )
    return runner


@pytest.fixture
def runner(repository: ImageRunner) -> ImageRunner:
    """A repository whose application is as at first."""
    write_app(repository)
    repository.write({"app/k8s/pod.yaml": POD, "app/values.yaml": VALUES})
    return repository


def write_app(runner: ImageRunner, content: str = "one", comment: str = "") -> None:
    runner.write({"app/BUILD": APP.format(content=content, comment=comment)})


def field_set(runner: ImageRunner) -> ManifestsFieldSet:
    return ManifestsFieldSet.create(runner.target("app:manifests"))


def files(runner: ImageRunner, digest: Digest) -> dict[str, str]:
    contents = runner.runner.request(DigestContents, (digest,))
    return {each.path: each.content.decode() for each in contents}


def package(runner: ImageRunner) -> dict[str, str]:
    built = runner.runner.request(BuiltPackage, (field_set(runner),))
    return files(runner, built.digest)


def infer(runner: ImageRunner) -> list[str]:
    request = InferManifestsDependencies(field_set(runner))
    found = runner.runner.request(InferredDependencies, (request,))
    return [each.spec for each in found.include]


def failure(runner: ImageRunner, text: str, *, of_inference: bool = False) -> str:
    """What the user reads when the values file is this."""
    runner.write({"app/values.yaml": text})
    with pytest.raises(ExecutionError) as raised:
        infer(runner) if of_inference else package(runner)
    return "\n".join(str(each) for each in raised.value.wrapped_exceptions)


def test_packaged_files_have_pinned_references_and_are_otherwise_the_same(
    runner: ImageRunner, registry: FakeRegistry, builder: FakeBuilder
) -> None:
    image = f"{registry.address}/app/image@{builder.prepare('one', 'app/image')}"
    other = f"{registry.address}/other/image@{builder.prepare('other', 'other/image')}"
    pod = POD.replace("pants://:image", image).replace("pants://other:image", other)
    assert package(runner) == {
        "app/manifests/k8s/pod.yaml": pod,
        "app/manifests/values.yaml": f"image: '{image}'\n",
    }
    (artifact,) = runner.runner.request(BuiltPackage, (field_set(runner),)).artifacts
    assert artifact.relpath == "app/manifests"
    assert artifact.extra_log_lines == (
        f"  :image: {image}",
        f"  other:image: {other}",
        f"  app:image: {image}",
    )


def test_run_prints_all_files_as_one_stream_and_nothing_else(runner: ImageRunner) -> None:
    request = runner.runner.request(RunRequest, (field_set(runner),))
    (stream,) = files(runner, request.digest).values()
    packaged = package(runner)
    expected = "---\n".join(packaged.values())
    assert stream == expected
    assert len(list(yaml.safe_load_all(stream))) == 2


def test_what_is_run_takes_no_arguments(runner: ImageRunner, tmp_path: Path) -> None:
    request = runner.runner.request(RunRequest, (field_set(runner),))
    ((name, stream),) = files(runner, request.digest).items()
    (tmp_path / name).write_text(stream)
    args = [each.replace("{chroot}", str(tmp_path)) for each in request.args]
    said = subprocess.run([*args, "--help"], capture_output=True, check=True, text=True)
    assert (said.stdout, said.stderr) == (stream, "")


def test_images_that_are_named_are_dependencies(runner: ImageRunner) -> None:
    assert infer(runner) == ["app:image", "other:image"]


def test_one_of_several_variants_of_an_image_is_named_by_its_parameters(
    runner: ImageRunner,
) -> None:
    runner.write({"app/values.yaml": "image: pants://other:many@platforms=a\n"})
    assert "other:many@platforms=a" in infer(runner)


def test_other_targets_get_the_packaged_files(runner: ImageRunner) -> None:
    runner.write({"use/BUILD": DEPENDENTS})
    packaged = package(runner)
    sources = HydrateSourcesRequest(
        runner.target("use:command").get(SourcesField),
        for_sources_types=(FileSourceField,),
        enable_codegen=True,
    )
    made = runner.runner.request(HydratedSources, (sources,))
    assert files(runner, made.snapshot.digest) == {"out": packaged["app/manifests/values.yaml"]}
    archive = ArchiveFieldSet.create(runner.target("use:archive"))
    built = runner.runner.request(BuiltPackage, (archive,))
    (archived,) = runner.runner.request(DigestContents, (built.digest,))
    with tarfile.open(fileobj=io.BytesIO(archived.content)) as tar:
        assert set(tar.getnames()) >= set(packaged)


def test_manifests_stay_the_same_until_a_digest_moves(
    runner: ImageRunner, builder: FakeBuilder
) -> None:
    before, builds = package(runner), builder.builds
    write_app(runner, comment="another build of the same image")
    assert package(runner) == before
    assert builder.builds == builds + 1
    write_app(runner, "two")
    assert package(runner) != before


SUBJECT = "The `sources` field in target app:manifests must"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            "image: pants://other:imge\n",
            f"{SUBJECT} hold files that name image targets, but line 1 of app/values.yaml names"
            " 'other:imge', which does not exist. Targets in other: ':files', ':image', ':kept',"
            " ':local', ':many'.",
            id="unknown",
        ),
        pytest.param(
            "a: 1\nimage: pants://nowhere:image\n",
            f"{SUBJECT} hold files that name image targets, but line 2 of app/values.yaml names"
            " 'nowhere:image', which does not exist.",
            id="unknown-directory",
        ),
        pytest.param(
            "image: pants://other:files\n",
            f"{SUBJECT} hold files that name image targets, but line 1 of app/values.yaml names"
            " 'other:files', a `file` target. Use the address of a `docker_buildkit_image` target.",
            id="no-image",
        ),
        pytest.param(
            "image: pants://other:many\n",
            f"{SUBJECT} hold files that name image targets, but line 1 of app/values.yaml names"
            " 'other:many', which stands for several: other:many@platforms=a,"
            " other:many@platforms=b. Name one of them.",
            id="several",
        ),
        pytest.param(
            "image: {{ .Values.image }}\n",
            f"{SUBJECT} hold files, each of which must be YAML, but line 1 of app/values.yaml has"
            " `{{`, as templates of Helm do. Name the chart's values files instead: a template"
            " takes the reference from a value.",
            id="template",
        ),
        pytest.param(
            "image: [\n",
            f"{SUBJECT} hold files, each of which must be YAML, but line 2 of app/values.yaml is"
            " not: expected the node content, but found '<stream end>'.",
            id="no-yaml",
        ),
        pytest.param(
            "image: use pants://other:image or not\n",
            f"{SUBJECT} hold files, each of which must have one address after 'pants://', at the"
            " end of a value, but line 1 of app/values.yaml has the value 'use pants://other:image"
            " or not'. Text that is not meant as a reference can stand in a block scalar.",
            id="inside",
        ),
    ],
)
@pytest.mark.parametrize("of_inference", [False, True])
def test_a_file_that_cannot_be_resolved_says_why(
    runner: ImageRunner, text: str, message: str, of_inference: bool
) -> None:
    assert failure(runner, text, of_inference=of_inference) == message


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("kept", "only kept as an OCI image layout (`output='oci'`)"),
        ("local", "only loaded into the local Docker Engine (`output='docker'`)"),
    ],
)
def test_an_image_that_is_not_pushed_cannot_be_deployed(
    runner: ImageRunner, name: str, where: str
) -> None:
    assert failure(runner, f"image: pants://other:{name}\n") == (
        f"{SUBJECT} hold files that name images that are pushed, because a reference needs a"
        f" registry, but line 1 of app/values.yaml names other:{name}, which is {where}. Give that"
        " image `registries`, or configure '[docker-buildkit.registries]' with a default, and leave"
        " its `output` out."
    )


@pytest.mark.parametrize("path", [".", "..", "a/../..", "/deploy"])
def test_packaging_empties_no_directory_but_its_own(runner: ImageRunner, path: str) -> None:
    target = "docker_buildkit_manifests(name='manifests', sources=['values.yaml'], output_path="
    runner.write({"app/BUILD": f"{APP.splitlines()[0]}\n)\n{target}{path!r})"})
    assert failure(runner, "image: 1\n") == (
        "The `output_path` field in target app:manifests must name a directory below `dist/`, which"
        f" then holds nothing but these files, but it is {path!r}. Leave it out, or write a path"
        " such as 'deploy/manifests'."
    )


def test_a_template_file_is_no_source(runner: ImageRunner) -> None:
    runner.write({"app/notes.tpl": ""})
    target = "docker_buildkit_manifests(name='manifests', sources=['notes.tpl'])"
    runner.write({"app/BUILD": target})
    with pytest.raises(ExecutionError, match=r"can only contain files that end in one of"):
        package(runner)
