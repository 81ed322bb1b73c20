from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext

import pytest
from pants.engine.target import Target

from pants_docker_buildkit.dockerfile.patterns import PatternMatcher
from pants_docker_buildkit.testutil import ImageRunner
from pants_docker_buildkit.util_rules import context_providers
from pants_docker_buildkit.util_rules.context_providers import parents, source_paths

BASE = "docker_buildkit_image(name='image', source=None, instructions=['FROM scratch'])"


@pytest.fixture(scope="module")
def runner() -> ImageRunner:
    """One engine for all tests; each has a directory of its own."""
    runner = ImageRunner()
    runner.set_options()
    runner.write({"base/BUILD": BASE})
    return runner


def infer(runner: ImageRunner, directory: str, dockerfile: str, build: str = "") -> set[str]:
    """What is inferred for `directory:image` with this Dockerfile."""
    if "docker_buildkit_image" not in build:
        build = f"{build}\ndocker_buildkit_image(name='image')"
    runner.write({f"{directory}/BUILD": build, f"{directory}/Dockerfile": dockerfile})
    return runner.inferred(f"{directory}:image")


@pytest.mark.parametrize(
    ("directory", "dockerfile"),
    [
        pytest.param("arg", "ARG BASE=base:image\nFROM $BASE\n", id="argument"),
        pytest.param("rooted", "ARG BASE=//base:image\nFROM ${BASE}\n", id="rooted-address"),
        pytest.param(
            "copy-from",
            "ARG BASE=base:image\nFROM $BASE AS base\nFROM scratch\nCOPY --from=base /a /\n",
            id="copy-from-stage",
        ),
        pytest.param(
            "mount",
            "ARG BASE=base:image\nFROM $BASE AS base\nFROM scratch\n"
            "RUN --mount=type=bind,from=base,target=/b true\n",
            id="mount-from-stage",
        ),
    ],
)
def test_an_image_that_an_argument_names_is_inferred(
    runner: ImageRunner, directory: str, dockerfile: str
) -> None:
    assert infer(runner, directory, dockerfile) == {"base:image"}


def test_an_image_in_the_same_directory_is_named_by_a_relative_address(
    runner: ImageRunner,
) -> None:
    build = """\
docker_buildkit_image(name='image')
docker_buildkit_image(name='below', source=None, instructions=['FROM scratch'])
"""
    dockerfile = "ARG BASE=:below\nFROM $BASE\n"
    assert infer(runner, "relative", dockerfile, build) == {"relative:below"}


def test_a_build_argument_that_names_another_image_wins_over_the_default(
    runner: ImageRunner,
) -> None:
    build = """\
docker_buildkit_image(name='image', extra_build_args=['BASE=base:image'])
docker_buildkit_image(name='below', source=None, instructions=['FROM scratch'])
"""
    dockerfile = "ARG BASE=:below\nFROM $BASE\n"
    assert infer(runner, "given", dockerfile, build) == {"base:image"}


def test_dependencies_are_known_without_the_variables_that_a_build_needs(
    runner: ImageRunner,
) -> None:
    build = """\
file(name='file', source='a.txt')
docker_buildkit_image(name='image', extra_build_args=['ONLY_IN_CI'])
"""
    runner.write({"variable/a.txt": ""})
    dockerfile = "ARG ONLY_IN_CI\nFROM $ONLY_IN_CI\nCOPY variable/a.txt /\n"
    assert infer(runner, "variable", dockerfile, build) == {"variable:file"}


@pytest.mark.parametrize(
    "other",
    [
        pytest.param("docker_buildkit_image_refs(name='x', images={'a': ':image'})", id="refs"),
        pytest.param("docker_buildkit_manifests(name='x', sources=['*.yaml'])", id="manifests"),
        pytest.param("archive(name='x', format='zip', packages=[':image'])", id="archive"),
    ],
)
def test_a_copied_directory_brings_nothing_that_is_made_of_images(
    runner: ImageRunner, request: pytest.FixtureRequest, other: str
) -> None:
    directory = request.node.callspec.id
    runner.write({f"{directory}/a.txt": "", f"{directory}/k.yaml": "a: pants://:image\n"})
    build = f"""\
files(name='files', sources=['*.txt'])
archive(name='plain', format='zip', files=[':files'])
docker_buildkit_image(name='image')
{other}
"""
    found = infer(runner, directory, f"FROM scratch\nCOPY {directory} /\n", build)
    assert found == {f"{directory}/a.txt:files", f"{directory}:plain"}


@pytest.mark.parametrize(
    ("address", "before"),
    [
        pytest.param(":bundle", "", id="in-the-stage"),
        pytest.param("//by/address:bundle", "", id="absolute"),
        pytest.param("by/address:bundle", "ARG FILE=by/address:bundle\n", id="global"),
    ],
)
def test_the_address_in_an_argument_of_a_copy_is_the_path_of_the_package(
    runner: ImageRunner, address: str, before: str
) -> None:
    runner.write({"by/address/a.txt": "a"})
    build = """\
files(name='files', sources=['*.txt'])
archive(name='bundle', format='zip', output_path='out/b.zip', files=[':files'])
docker_buildkit_image(name='image')
"""
    declared = "ARG FILE" if before else f"ARG FILE={address}"
    dockerfile = f"{before}FROM scratch\n{declared}\nCOPY $FILE /\n"
    assert infer(runner, "by/address", dockerfile, build) == {"by/address:bundle"}
    definition = runner.definition("by/address:image").job.definition
    assert dict(definition.build_args)["FILE"] == "out/b.zip"


def test_a_path_with_a_colon_is_a_path(runner: ImageRunner) -> None:
    runner.write({"colons/a:b": ""})
    build = "files(name='files', sources=['a*'])\ndocker_buildkit_image(name='image')\n"
    dockerfile = "FROM scratch\nARG FILE=colons/a:b\nCOPY $FILE /\n"
    assert infer(runner, "colons", dockerfile, build) == {"colons/a:b:files"}


def test_named_build_contexts_are_inferred(runner: ImageRunner) -> None:
    build = """\
files(name='assets', sources=['*.css'])
docker_buildkit_image(
    name='image', build_contexts={'base': 'base:image', 'web': ':assets'},
)
"""
    runner.write({"contexts/a.css": ""})
    dockerfile = "FROM base\nCOPY --from=web a.css /\n"
    assert infer(runner, "contexts", dockerfile, build) == {"base:image", "contexts:assets"}


@pytest.mark.parametrize(
    "dockerfile",
    [
        pytest.param("FROM python:3.12\n", id="tag"),
        pytest.param(f"FROM ghcr.io/org/app@sha256:{'a' * 64}\n", id="digest"),
        pytest.param("ARG BASE=python:3.12\nFROM $BASE\n", id="argument"),
        pytest.param("FROM scratch AS one\nFROM one\n", id="stage"),
    ],
)
def test_an_image_of_a_registry_is_no_dependency(runner: ImageRunner, dockerfile: str) -> None:
    assert infer(runner, "registry", dockerfile) == set()


@pytest.mark.parametrize("keyword", ["COPY", "ADD"])
def test_a_file_that_is_copied_is_inferred(runner: ImageRunner, keyword: str) -> None:
    directory = keyword.lower()
    runner.write({f"{directory}/files/a.txt": "", f"{directory}/files/b.txt": ""})
    runner.write({f"{directory}/files/BUILD": "files(name='files', sources=['*.txt'])"})
    dockerfile = f"FROM scratch\n{keyword} {directory}/files/a.txt /\n"
    assert infer(runner, directory, dockerfile) == {f"{directory}/files/a.txt"}


def test_a_resource_that_is_mounted_is_inferred(runner: ImageRunner) -> None:
    runner.write({"bind/lib.txt": ""})
    build = "resource(name='lib', source='lib.txt')"
    dockerfile = "FROM scratch\nRUN --mount=type=bind,source=bind/lib.txt,target=/l true\n"
    assert infer(runner, "bind", dockerfile, build) == {"bind:lib"}


def test_paths_are_relative_to_the_context_root(runner: ImageRunner) -> None:
    runner.write({"root/inner/a.txt": ""})
    build = """\
files(name='files', sources=['inner/*.txt'])
docker_buildkit_image(name='image', context_root='./inner')
"""
    assert infer(runner, "root", "FROM scratch\nCOPY a.txt /\n", build) == {
        "root/inner/a.txt:../files"
    }


def test_a_package_is_inferred_by_its_output_path(runner: ImageRunner) -> None:
    build = """\
files(name='files', sources=['*.txt'])
archive(name='bundle', format='tar.gz', files=[':files'])
archive(name='named', format='zip', output_path='out/named.zip', files=[':files'])
"""
    runner.write({"package/a.txt": ""})
    dockerfile = "FROM scratch\nCOPY package/bundle.tar.gz out/named.zip /\n"
    assert infer(runner, "package", dockerfile, build) == {"package:bundle", "package:named"}


def test_of_two_targets_that_own_a_file_the_first_is_inferred(runner: ImageRunner) -> None:
    runner.write({"owners/a.txt": ""})
    build = "file(name='two', source='a.txt')\nfile(name='one', source='a.txt')"
    assert infer(runner, "owners", "FROM scratch\nCOPY owners/a.txt /\n", build) == {"owners:one"}


def test_what_lies_below_a_directory_is_inferred(runner: ImageRunner) -> None:
    paths = ("app/a.txt", "app/deep/b.txt", "app/run.sh", "app2/no.txt", "app.txt")
    runner.write({f"tree/{path}": "" for path in paths})
    build = """\
files(name='files', sources=['**/*.txt'])
shell_sources(name='scripts', sources=['app/*.sh'])
archive(name='bundle', format='zip', output_path='tree/app/out/bundle.zip', files=[':files'])
archive(name='other', format='zip', output_path='tree/app2/bundle.zip', files=[':files'])
"""
    assert infer(runner, "tree", "FROM scratch\nCOPY tree/app/ /app/\n", build) == {
        "tree/app/a.txt:../files",
        "tree/app/deep/b.txt:../../files",
        "tree/app/run.sh:../scripts",
        "tree:bundle",
    }


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("wild/a*.txt", {"wild/a.txt:files", "wild/ab.txt:files"}),
        ("wild/**.txt", {"wild/a.txt:files", "wild/ab.txt:files", "wild/c.txt:files"}),
        ("wild/[ac].tx?", {"wild/a.txt:files", "wild/c.txt:files"}),
        ("wild/d*p /", {"wild/deep/d.txt:../files"}),
        ("w*d/deep/*", {"wild/deep/d.txt:../files"}),
        ("--parents wild/**/d.txt", {"wild/deep/d.txt:../files"}),
        ("wild/*.zip", {"wild:bundle"}),
        ("wild/out/*.md", {"wild:command"}),
        ("wild/o*", {"wild:command"}),
        ("w*d/out", {"wild:command"}),
        ("wild/x*", set()),
    ],
)
def test_what_a_wildcard_finds_is_inferred(
    runner: ImageRunner, source: str, found: set[str]
) -> None:
    runner.write({f"wild/{path}": "" for path in ("a.txt", "ab.txt", "c.txt", "deep/d.txt")})
    build = """\
files(name='files', sources=['**/*.txt'])
archive(name='bundle', format='zip', output_path='wild/bundle.zip', files=[':files'])
shell_command(name='command', command='true', output_directories=['out'])
"""
    dockerfile = f"# syntax=docker/dockerfile:1-labs\nFROM scratch\nCOPY {source} /x/\n"
    inferred = infer(runner, "wild", dockerfile, build)
    assert {each.replace("/wild:", ":") for each in inferred} == found


def test_a_file_whose_name_has_brackets_is_inferred(runner: ImageRunner) -> None:
    runner.write({"odd/[a].txt": "", "odd/a.txt": ""})
    build = "files(name='files', sources=['*.txt'])"
    dockerfile = "FROM scratch\nCOPY odd/[[]a].txt /\n"
    assert infer(runner, "odd", dockerfile, build) == {"odd/[[]a].txt:files"}


def test_a_wildcard_is_relative_to_the_context_root(runner: ImageRunner) -> None:
    runner.write({"wild-root/inner/a.txt": "", "wild-root/b.txt": ""})
    build = """\
files(name='files', sources=['**/*.txt'])
docker_buildkit_image(name='image', context_root='./inner')
"""
    assert infer(runner, "wild-root", "FROM scratch\nCOPY *.txt /\n", build) == {
        "wild-root/inner/a.txt:../files"
    }


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        pytest.param("output_directories=['out']", "made/out/", id="directory"),
        pytest.param("output_directories=['out']", "made/out/deep/a.txt", id="below-directory"),
        pytest.param("output_directories=['out/deep']", "made/out", id="above-directory"),
        pytest.param("output_directories=['.'], workdir='/made/out'", "made/out", id="itself"),
        pytest.param("output_directories=['x'], workdir='./y'", "made/y/x", id="working-directory"),
        pytest.param("output_directories=['x'], workdir='other'", "other/x", id="elsewhere"),
        pytest.param(
            "output_directories=['x'], root_output_directory='.'", "x", id="without-prefix"
        ),
        pytest.param("output_files=['a.txt']", "made/a.txt", id="file"),
        pytest.param("output_files=['y/a.txt']", "made/y", id="directory-of-file"),
    ],
)
def test_what_a_command_makes_is_inferred(runner: ImageRunner, fields: str, path: str) -> None:
    build = f"shell_command(name='command', command='true', {fields})"
    assert infer(runner, "made", f"FROM scratch\nCOPY {path} /x/\n", build) == {"made:command"}


def test_files_that_are_relocated_or_downloaded_are_inferred(runner: ImageRunner) -> None:
    runner.write({"moved/a.txt": "", "moved/deep/b.txt": ""})
    build = """\
files(name='files', sources=['**/*.txt'])
relocated_files(name='moved', files_targets=[':files'], src='moved/deep', dest='new/place')
relocated_files(name='all', files_targets=[':files'], src='', dest='all')
file(name='web', source=http_source('https://example.org/t.gz', len=1, sha256='0' * 64))
"""
    copy = "FROM scratch\nCOPY {} /x/\n"
    assert infer(runner, "moved", copy.format("new/"), build) == {"moved:moved"}
    assert infer(runner, "moved", copy.format("all/moved/a.txt"), build) == {"moved:all"}
    assert infer(runner, "moved", copy.format("moved/t.gz"), build) == {"moved:web"}
    assert infer(runner, "moved", copy.format("new/other"), build) == set()


def test_packages_below_a_directory_are_inferred_by_their_default_output_path(
    runner: ImageRunner,
) -> None:
    build = "archive(name='bundle', format='tar', files=[])"
    assert infer(runner, "default", "FROM scratch\nCOPY default/ /\n", build) == {"default:bundle"}


@pytest.mark.parametrize(
    "instruction",
    [
        pytest.param("COPY . /", id="everything"),
        pytest.param("COPY * */* /", id="wildcards-that-find-everything"),
        pytest.param("COPY nothing/[ /", id="wildcard-that-buildkit-refuses"),
        pytest.param("RUN --mount=type=bind,source=nothing/*.txt,target=/x true", id="no-wildcard"),
        pytest.param("COPY <<EOF /a\nnothing/a.txt\nEOF", id="heredoc"),
        pytest.param("ADD https://example.org/a.txt /", id="download"),
        pytest.param("COPY --from=alpine:3 nothing/a.txt /", id="other-image"),
    ],
)
def test_what_names_no_file_of_the_context_infers_nothing(
    runner: ImageRunner, instruction: str
) -> None:
    runner.write({"nothing/a.txt": "", "nothing/files/BUILD": ""})
    build = "file(name='a', source='a.txt')"
    assert infer(runner, "nothing", f"FROM scratch\n{instruction}\n", build) == set()


def test_only_stages_that_are_built_infer_images(runner: ImageRunner) -> None:
    dockerfile = "ARG BASE=base:image\nFROM $BASE AS unused\nFROM scratch AS used\n"
    build = "docker_buildkit_image(name='image', target_stage='used')"
    assert infer(runner, "stages", dockerfile, build) == set()


def test_an_image_does_not_depend_on_itself(runner: ImageRunner) -> None:
    dockerfile = "FROM scratch\nCOPY itself/image.image.json /\n"
    assert infer(runner, "itself", dockerfile) == set()


@pytest.mark.parametrize(
    ("directory", "dockerfile", "fields"),
    [
        pytest.param("by-argument", "ARG BASE=on-build:image\nFROM $BASE\n", "", id="argument"),
        pytest.param(
            "by-context", "FROM base\n", "build_contexts={'base': 'on-build:image'}", id="context"
        ),
    ],
)
def test_what_a_base_image_of_this_repository_copies_is_inferred(
    runner: ImageRunner, directory: str, dockerfile: str, fields: str
) -> None:
    trigger = f"ONBUILD COPY {directory}/package.json /"
    base = f"docker_buildkit_image(name='image', source=None, instructions=['FROM a', '{trigger}'])"
    runner.write({"on-build/BUILD": base, f"{directory}/package.json": ""})
    build = (
        "file(name='package', source='package.json')\n"
        f"docker_buildkit_image(name='image', {fields})"
    )
    found = infer(runner, directory, dockerfile, build)
    assert found == {"on-build:image", f"{directory}:package"}


def test_a_context_that_nothing_uses_is_not_inferred_unless_a_base_image_uses_it(
    runner: ImageRunner,
) -> None:
    base = "source=None, instructions=['FROM a', 'ONBUILD COPY --from=used . /']"
    fields = "build_contexts={'base': ':base', 'used': ':used', 'other': ':other'}"
    build = (
        f"docker_buildkit_image(name='base', {base})\n"
        "files(name='used', sources=['*.txt'])\nfiles(name='other', sources=['*.txt'])\n"
        f"docker_buildkit_image(name='image', {fields})"
    )
    runner.write({"triggered/a.txt": ""})
    assert infer(runner, "triggered", "FROM base\n", build) == {"triggered:base", "triggered:used"}
    assert infer(runner, "triggered", "FROM debian:12\n", build) == set()


@pytest.mark.parametrize(
    ("dockerfile", "needs_all"),
    [
        pytest.param("FROM debian:12\nCOPY given/a.txt /\n", False, id="given"),
        pytest.param("ARG BASE=debian:12\nFROM $BASE\nCOPY given/a.txt /\n", False, id="argument"),
        pytest.param("FROM debian:12\nCOPY . /\n", False, id="everything"),
        pytest.param("FROM debian:12\nCOPY given/b.txt /\n", True, id="not-given"),
        pytest.param("FROM debian:12\nCOPY given/*.txt /\n", True, id="wildcard"),
        pytest.param("FROM given:12\nCOPY given/a.txt /\n", True, id="name-of-directory"),
    ],
)
def test_no_other_build_file_is_read_for_what_is_written_down(
    dockerfile: str, needs_all: bool
) -> None:
    runner = ImageRunner()
    runner.set_options()
    build = """\
files(name='files', sources=['a.txt'])
docker_buildkit_image(name='image', dependencies=[':files'])
"""
    runner.write({"broken/BUILD": "no such thing", "given/a.txt": "", "given/b.txt": ""})
    fails = pytest.raises(Exception, match="broken/BUILD")
    with fails if needs_all else nullcontext():
        assert infer(runner, "given", dockerfile, build) == set()


def test_of_many_files_that_images_share_each_is_looked_at_once(
    runner: ImageRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def see(target: Target) -> Iterator[str]:
        seen.append(target.address.spec)
        return source_paths(target)

    monkeypatch.setattr(context_providers, "source_paths", see)
    runner.write({f"shared/{number:03}.txt": "" for number in range(150)})
    runner.write({"shared/BUILD": "files(name='files', sources=['*.txt'])"})
    build = "docker_buildkit_image(name='image', dependencies=['shared:files'], context_root='')"
    for directory in ("sharing-one", "sharing-two"):
        dockerfile = f"FROM scratch\nCOPY shared/001.txt /{directory}\n"
        assert infer(runner, directory, dockerfile, build) == set()
    files = [each for each in seen if each.startswith("shared/")]
    assert len(files) == len(set(files)) == 150


def test_a_wildcard_that_images_share_is_compared_with_each_path_once(
    runner: ImageRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    class Matcher(PatternMatcher):
        def last_match(self, path: str) -> int:
            seen.append(path)
            return super().last_match(path)

    monkeypatch.setattr(context_providers, "PatternMatcher", Matcher)
    paths = (f"compared/deep/{number}/{name}.txt" for number in range(5) for name in "abc")
    runner.write(dict.fromkeys(paths, ""))
    runner.write({"compared/BUILD": "files(name='files', sources=['**/*.txt'])"})
    build = "docker_buildkit_image(name='image', context_root='')"
    for directory in ("comparing-one", "comparing-two"):
        dockerfile = f"FROM scratch\nCOPY compared/*/*/[a].txt /{directory}\n"
        assert len(infer(runner, directory, dockerfile, build)) == 5
    assert len(seen) == len(set(seen))


def test_a_package_with_an_absolute_path_ends_the_directories_above_it() -> None:
    # Pants takes such an `output_path`, and refuses it only where the target is packaged.
    assert list(parents("/a/b/c")) == ["/a/b", "/a"]
    assert list(parents("a/b/c")) == ["a/b", "a"]
