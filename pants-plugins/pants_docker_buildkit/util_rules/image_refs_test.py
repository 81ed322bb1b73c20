"""Who depends on a file with references gets it, and is touched only when a digest moves."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator

import pytest
from pants.backend.adhoc.adhoc_tool import rules as adhoc_rules
from pants.backend.adhoc.run_system_binary import rules as system_binary_rules
from pants.backend.adhoc.target_types import AdhocToolTarget, SystemBinaryTarget
from pants.backend.shell.target_types import ShellCommandTarget
from pants.core.goals.package import BuiltPackage
from pants.core.target_types import ArchiveFieldSet, FileSourceField
from pants.engine.addresses import Address
from pants.engine.fs import Digest, DigestContents
from pants.engine.internals.scheduler import ExecutionError
from pants.engine.rules import QueryRule
from pants.engine.target import (
    Dependencies,
    DependenciesRequest,
    HydratedSources,
    HydrateSourcesRequest,
    SourcesField,
    Targets,
    TransitiveTargets,
    TransitiveTargetsRequest,
)

from pants_docker_buildkit.registry.testing.fake_registry import FakeRegistry
from pants_docker_buildkit.solver.testing.fake_builder import FakeBuilder
from pants_docker_buildkit.testutil import ImageRunner, all_dependencies, create_rule_runner
from pants_docker_buildkit.util_rules.image_refs import ImageRefsFieldSet

APP = """\
files(name='files', sources=['*.txt'])
docker_buildkit_image(
    name='image', instructions=['FROM scratch', 'LABEL content={content}', 'COPY app/a.txt /{to}'],
)
docker_buildkit_image_refs(name='refs', images={{'APP': ':image'}})
"""
DEPENDENTS = """\
shell_command(
    name='command',
    command='cat app/refs.json >out',
    tools=['cat'],
    execution_dependencies=['app:refs'],
    output_files=['out'],
    workdir='/',
)
adhoc_tool(
    name='tool',
    runnable=':cat',
    args=['app/refs.json'],
    workdir='/',
    stdout='shown',
    execution_dependencies=['app:refs'],
)
system_binary(name='cat', binary_name='cat')
archive(name='archive', format='tar', files=['app:refs'])
docker_buildkit_image(
    name='image', instructions=['FROM scratch', 'COPY app/refs.json /etc/'],
)
"""


@pytest.fixture(scope="module")
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry().running() as registry:
        yield registry


@pytest.fixture(scope="module")
def builder(registry: FakeRegistry, tmp_path_factory: pytest.TempPathFactory) -> FakeBuilder:
    builder = FakeBuilder(tmp_path_factory.mktemp("docker"), registry)
    builder.prepare("one", "app/image")
    builder.prepare("two", "app/image")
    return builder


@pytest.fixture(scope="module")
def repository(registry: FakeRegistry, builder: FakeBuilder) -> ImageRunner:
    runner = ImageRunner(
        create_rule_runner(
            (AdhocToolTarget, ShellCommandTarget, SystemBinaryTarget),
            (
                *adhoc_rules(),
                *system_binary_rules(),
                QueryRule(BuiltPackage, (ArchiveFieldSet,)),
                QueryRule(BuiltPackage, (ImageRefsFieldSet,)),
                QueryRule(HydratedSources, (HydrateSourcesRequest,)),
                QueryRule(Targets, (DependenciesRequest,)),
                QueryRule(TransitiveTargets, (TransitiveTargetsRequest,)),
            ),
        )
    )
    runner.set_options(
        "default-repository={directory}/{name}",
        f'registries={{"test": {{"address": "{registry.address}", "default": True}}}}',
        env={"PATH": builder.path, "HOME": "/nonexistent"},
        inherit=(),
    )
    return runner


@pytest.fixture
def runner(repository: ImageRunner) -> ImageRunner:
    """A repository whose application is as at first."""
    write_app(repository)
    return repository


def write_app(runner: ImageRunner, content: str = "one", *, to: str = "") -> None:
    runner.write({"app/BUILD": APP.format(content=content, to=to), "app/a.txt": ""})


def files_of(runner: ImageRunner, address: str) -> dict[str, str]:
    """What a target puts into the sandbox of a dependent."""
    request = HydrateSourcesRequest(
        runner.target(address).get(SourcesField),
        for_sources_types=(FileSourceField,),
        enable_codegen=True,
    )
    return contents(runner, runner.runner.request(HydratedSources, (request,)).snapshot.digest)


def contents(runner: ImageRunner, digest: Digest) -> dict[str, str]:
    files = runner.runner.request(DigestContents, (digest,))
    return {each.path: each.content.decode() for each in files}


def package(runner: ImageRunner, address: str) -> BuiltPackage:
    field_set = ImageRefsFieldSet.create(runner.target(address))
    return runner.runner.request(BuiltPackage, (field_set,))


def failure(runner: ImageRunner, fields: str) -> str:
    """What the user reads when the references of `app:wrong` are asked for.

    No builder can build the image.
    """
    target = f"docker_buildkit_image_refs(name='wrong', {fields})"
    runner.write({"app/BUILD": f"{APP.format(content='nothing', to='')}{target}\n"})
    with pytest.raises(ExecutionError) as raised:
        package(runner, "app:wrong")
    return "\n".join(str(each) for each in raised.value.wrapped_exceptions)


def test_packaged_file_names_the_image_that_the_registry_has(
    runner: ImageRunner, registry: FakeRegistry, builder: FakeBuilder
) -> None:
    digest = builder.prepare("one", "app/image")
    built = package(runner, "app:refs")
    ((path, text),) = contents(runner, built.digest).items()
    assert path == built.artifacts[0].relpath == "app/refs.json"
    reference = f"{registry.address}/app/image@{digest}"
    assert json.loads(text)["APP"]["reference"] == reference
    assert built.artifacts[0].extra_log_lines == (f"  APP: {reference}",)


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ("format='yaml'", "app/refs.yaml"),
        ("format='env'", "app/refs.env"),
        ("format='text'", "app/refs.txt"),
        ("output_path='deploy/images.auto.tfvars.json'", "deploy/images.auto.tfvars.json"),
    ],
)
def test_the_file_is_called_after_its_target_and_format_or_as_the_target_says(
    runner: ImageRunner, fields: str, path: str
) -> None:
    target = f"docker_buildkit_image_refs(name='refs', images={{'APP': 'app:image'}}, {fields})"
    runner.write({"deep/er/BUILD": target})
    expected = path.replace("app/", "deep.er/")
    assert list(files_of(runner, "deep/er:refs")) == [expected]
    assert package(runner, "deep/er:refs").artifacts[0].relpath == expected


def test_dependents_of_every_kind_get_the_file(runner: ImageRunner) -> None:
    runner.write({"use/BUILD": DEPENDENTS})
    ((_, text),) = files_of(runner, "app:refs").items()
    assert files_of(runner, "use:command") == {"out": text}
    assert list(files_of(runner, "use:tool").values()) == [text]
    assert runner.context("use:image") == ["app/refs.json"]
    archive = ArchiveFieldSet.create(runner.target("use:archive"))
    built = runner.runner.request(BuiltPackage, (archive,))
    (archived,) = runner.runner.request(DigestContents, (built.digest,))
    with tarfile.open(fileobj=io.BytesIO(archived.content)) as tar:
        assert tar.getnames() == ["app/refs.json"]


def test_the_file_changes_with_the_digest_of_an_image_and_not_with_what_it_is_made_of(
    runner: ImageRunner, builder: FakeBuilder
) -> None:
    before, builds = files_of(runner, "app:refs"), builder.builds
    write_app(runner, to="elsewhere")
    assert files_of(runner, "app:refs") == before
    assert builder.builds == builds + 1
    write_app(runner, "two")
    assert files_of(runner, "app:refs") != before


def test_dependents_run_again_when_the_digest_has_moved_and_only_then(
    runner: ImageRunner,
) -> None:
    runner.write(
        {
            "random/BUILD": "shell_command(name='command', command='od -N 16 /dev/urandom >out',"
            " tools=['od'], execution_dependencies=['app:refs'], output_files=['out'])"
        }
    )
    before = files_of(runner, "random:command")
    write_app(runner, to="other")
    assert files_of(runner, "random:command") == before
    write_app(runner, "two")
    assert files_of(runner, "random:command") != before


def test_who_depends_on_the_file_does_not_get_what_the_image_is_made_of(
    runner: ImageRunner,
) -> None:
    request = TransitiveTargetsRequest([Address("app", target_name="refs")])
    closure = runner.runner.request(TransitiveTargets, (request,)).closure
    assert {each.address.spec for each in closure} == {"app:refs"}


def test_dependents_of_an_image_include_the_file(runner: ImageRunner) -> None:
    request = all_dependencies(runner.target("app:refs").get(Dependencies))
    (image,) = runner.runner.request(Targets, (request,))
    assert image.address.spec == "app:image"


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        pytest.param(
            "images={'APP': ':imge'}",
            "The `images` field in target app:wrong must name image targets, but 'APP' names"
            " ':imge', which does not exist. Targets in app: ':files', ':image', ':refs',"
            " ':wrong'.",
            id="unknown",
        ),
        pytest.param(
            "images={'APP': 'no where'}",
            "The `images` field in target app:wrong must name image targets, but 'APP' names"
            " 'no where', which does not exist.",
            id="no-address",
        ),
        pytest.param(
            "images={'APP': ':refs'}",
            "The `images` field in target app:wrong must name image targets, but 'APP' names"
            " ':refs', a `docker_buildkit_image_refs` target. Use the address of a"
            " `docker_buildkit_image` target.",
            id="no-image",
        ),
        pytest.param(
            "images={'A-B': ':image'}, format='env'",
            "The `images` field in target app:wrong must have keys for `format='env'`, each of"
            " which must be the name of an environment variable, but 'A-B' is one of them.",
            id="bad-key",
        ),
        pytest.param(
            "images={'A': ':image'}, output_path='../refs.json'",
            "The `output_path` field in target app:wrong must name a file below `dist/`, but it is"
            " '../refs.json'. Leave it out, or write a path such as 'deploy/file'.",
            id="outside-of-dist",
        ),
    ],
)
def test_a_refs_target_that_cannot_be_written_says_why_without_a_build(
    runner: ImageRunner, fields: str, text: str
) -> None:
    assert failure(runner, fields) == text


@pytest.mark.parametrize(
    ("output", "where"),
    [
        ("oci", "only kept as an OCI image layout (`output='oci'`)"),
        ("docker", "only loaded into the local Docker Engine (`output='docker'`)"),
    ],
)
def test_an_image_that_is_not_pushed_has_no_reference(
    runner: ImageRunner, builder: FakeBuilder, output: str, where: str
) -> None:
    builds = builder.builds
    runner.write({"kept/BUILD": f"docker_buildkit_image(name='image', output='{output}')"})
    assert failure(runner, "images={'KEPT': 'kept:image'}") == (
        "The `images` field in target app:wrong must name images that are pushed, because a"
        f" reference needs a registry, but 'KEPT' names kept:image, which is {where}. Give that"
        " image `registries`, or configure '[docker-buildkit.registries]' with a default, and"
        " leave its `output` out."
    )
    assert builder.builds == builds


def test_a_refs_target_without_images_is_refused(runner: ImageRunner) -> None:
    assert (
        "The `images` field in target app:wrong must name at least one image, but it is empty."
        ' Write a key and an address, such as {"APP": ":image"}.'
    ) in failure(runner, "images={}")
