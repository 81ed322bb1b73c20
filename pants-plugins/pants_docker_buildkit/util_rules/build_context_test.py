from __future__ import annotations

from pathlib import Path

import pytest
from pants.core.target_types import ArchiveTarget, FilesGeneratingSourcesField, FileSourceField
from pants.engine.fs import DigestEntries, FileEntry
from pants.engine.internals.scheduler import ExecutionError
from pants.engine.target import (
    COMMON_TARGET_FIELDS,
    Dependencies,
    FieldSet,
    Target,
    TargetFilesGenerator,
)

from pants_docker_buildkit.testutil import ImageRunner, create_rule_runner
from pants_docker_buildkit.util_rules import build_context
from pants_docker_buildkit.util_rules.definition import ImageDefinition

DOCKERFILE = "FROM scratch\nCOPY . /\n"
IMAGE = f"docker_buildkit_image(name='image', source=None, instructions=[{DOCKERFILE!r}], {{}})"
IMAGE_WITH_WEB = IMAGE.replace("COPY", "COPY --from=web")


@pytest.fixture(scope="module")
def runner() -> ImageRunner:
    """One engine for all tests; each has a directory of its own."""
    runner = ImageRunner()
    runner.set_options()
    return runner


def context(
    runner: ImageRunner, directory: str, fields: str, files: dict[str, str], targets: str = ""
) -> list[str]:
    """The paths in the context of `directory:image`; `files` are relative to the directory."""
    written = {f"{directory}/{path}": text for path, text in files.items()}
    image = IMAGE_WITH_WEB if "'web'" in fields else IMAGE
    runner.write({**written, f"{directory}/BUILD": f"{targets}\n{image.format(fields)}"})
    return runner.context(f"{directory}:image")


FILES = "files(name='files', sources=['*.txt', 'deep/*.txt'])"


def test_paths_are_relative_to_the_build_root_unless_said_otherwise(runner: ImageRunner) -> None:
    files = {"a.txt": "", "deep/b.txt": ""}
    fields = "dependencies=[':files']"
    assert context(runner, "plain", fields, files, FILES) == ["plain/a.txt", "plain/deep/b.txt"]


@pytest.mark.parametrize(
    ("root", "paths"),
    [
        pytest.param("'./'", ["a.txt", "deep/b.txt"], id="directory-of-the-build-file"),
        pytest.param(
            "'.'", ["roots/a.txt", "roots/deep/b.txt"], id="build-root-as-in-docker_image"
        ),
        pytest.param("'./deep'", ["b.txt"], id="below-the-build-file"),
        pytest.param("'roots/deep'", ["b.txt"], id="from-the-build-root"),
        pytest.param("''", ["roots/a.txt", "roots/deep/b.txt"], id="build-root"),
        pytest.param("'./elsewhere'", [], id="nothing-there"),
    ],
)
def test_context_root_is_what_paths_are_relative_to(
    runner: ImageRunner, root: str, paths: list[str]
) -> None:
    fields = f"dependencies=[':files'], context_root={root}"
    assert context(runner, "roots", fields, {"a.txt": "", "deep/b.txt": ""}, FILES) == paths


def test_of_many_files_only_what_targets_own_is_in_the_context(
    runner: ImageRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build_context, "_MANY_FILES", 1)
    targets = "files(name='files', sources=['*/*.txt', 'a/b/c/*.txt'])"
    files = {
        "whole/1.txt": "",
        "whole/2.txt": "",
        "part/1.txt": "",
        "part/2.md": "",
        "above/1.txt": "",
        "above/other/2.md": "",
        "a/1.txt": "",
        "a/b/c/2.txt": "",
        "[odd]/1.txt": "",
        "odd/[1].txt": "",
    }
    owned = [
        *("[odd]/1.txt", "a/1.txt", "a/b/c/2.txt", "above/1.txt", "odd/[1].txt"),
        *("part/1.txt", "whole/1.txt", "whole/2.txt"),
    ]
    fields = "dependencies=[':files'], context_root='./'"
    assert context(runner, "many", fields, files, targets) == owned
    # What appears beside them has no owner, either.
    files["whole/3.md"] = files["a/b/3.md"] = ""
    (Path(runner.runner.build_root) / "many/whole/empty").mkdir()
    assert context(runner, "many", fields, files, targets) == owned
    del files["whole/2.txt"]
    (Path(runner.runner.build_root) / "many/whole/2.txt").unlink()
    assert context(runner, "many", fields, files, targets) == [
        each for each in owned if each != "whole/2.txt"
    ]


@pytest.mark.parametrize("many", [1, 1000])
def test_a_file_that_does_not_exist_is_not_left_out_of_the_context(
    runner: ImageRunner, monkeypatch: pytest.MonkeyPatch, many: int
) -> None:
    monkeypatch.setattr(build_context, "_MANY_FILES", many)
    targets = "file(name='gone', source='gone.txt')\nfiles(name='files', sources=['*.txt'])"
    fields = "dependencies=[':files', ':gone']"
    with pytest.raises(ExecutionError) as raised:
        context(runner, f"gone{many}", fields, {"a.txt": "", "[b].txt": ""}, targets)
    assert (
        f"The `source` field in target gone{many}:gone must name a file that exists, but there is"
        f" no gone{many}/gone.txt. Create it"
    ) in str(raised.value)


def test_resources_and_scripts_are_in_the_context_as_they_are(runner: ImageRunner) -> None:
    targets = "resources(name='r', sources=['*.json'])\nshell_sources(name='s')"
    files = {"a.json": "", "run.sh": ""}
    assert context(runner, "kinds", "dependencies=[':r', ':s']", files, targets) == [
        "kinds/a.json",
        "kinds/run.sh",
    ]


def test_packages_are_in_the_context_as_they_would_be_in_dist(runner: ImageRunner) -> None:
    targets = """\
files(name='files', sources=['*.txt'])
archive(name='bundle', format='tar', files=[':files'])
archive(name='named', format='tar', files=[':files'], output_path='out/named.tar')
"""
    fields = "dependencies=[':bundle', ':named']"
    assert context(runner, "packages", fields, {"a.txt": ""}, targets) == [
        "out/named.tar",
        "packages/bundle.tar",
    ]


def test_groups_stand_for_what_they_depend_on_at_any_depth(runner: ImageRunner) -> None:
    targets = f"""\
{FILES}
target(name='inner', dependencies=[':files'])
target(name='outer', dependencies=[':inner'])
"""
    fields = "dependencies=[':outer']"
    assert context(runner, "groups", fields, {"a.txt": ""}, targets) == ["groups/a.txt"]


def test_dependencies_of_files_are_not_in_the_context(runner: ImageRunner) -> None:
    targets = "file(name='a', source='a.txt', dependencies=[':b'])\nfile(name='b', source='b.txt')"
    files = {"a.txt": "", "b.txt": ""}
    assert context(runner, "direct", "dependencies=[':a']", files, targets) == ["direct/a.txt"]


def test_images_are_built_on_and_not_copied(runner: ImageRunner) -> None:
    base = "docker_buildkit_image(name='base', source=None, instructions=['FROM scratch'])"
    fields, targets = "dependencies=[':files', ':base']", f"{FILES}\n{base}"
    assert context(runner, "images", fields, {"a.txt": ""}, targets) == ["images/a.txt"]


def test_an_ignore_file_in_the_context_root_applies_without_being_declared(
    runner: ImageRunner,
) -> None:
    files = {"a.txt": "", "deep/b.txt": "", ".dockerignore": "# no\n**/b.txt\n"}
    fields = "dependencies=[':files'], context_root='./'"
    # BuildKit sends a directory of which nothing is left, too.
    assert context(runner, "ignore", fields, files, FILES) == ["a.txt", "deep"]


def test_an_ignore_file_elsewhere_does_not_apply(runner: ImageRunner) -> None:
    files = {"a.txt": "", "deep/b.txt": "", ".dockerignore": "**\n"}
    fields = "dependencies=[':files'], context_root='./deep'"
    assert context(runner, "ignore-elsewhere", fields, files, FILES) == ["b.txt"]


def test_the_ignore_file_of_a_dockerfile_wins(runner: ImageRunner) -> None:
    runner.write(
        {
            "own-ignore/BUILD": f"{FILES}\ndocker_buildkit_image(name='image',"
            " source='My.dockerfile', dependencies=[':files'], context_root='./')",
            "own-ignore/My.dockerfile": "FROM scratch\n",
            "own-ignore/My.dockerfile.dockerignore": "a.txt\n",
            "own-ignore/.dockerignore": "deep\n",
            "own-ignore/a.txt": "",
            "own-ignore/deep/b.txt": "",
        }
    )
    assert runner.context("own-ignore:image") == ["My.dockerfile", "deep/b.txt"]


@pytest.mark.parametrize(
    ("fields", "ignored", "paths"),
    [
        pytest.param("", "", ["HERE/Dockerfile"], id="below-the-build-root"),
        pytest.param("context_root='./'", "", ["Dockerfile"], id="in-the-context-root"),
        pytest.param("context_root='./'", "Docker*", [], id="that-an-ignore-file-names"),
        pytest.param("context_root='./deep'", "", [], id="outside-of-the-context-root"),
        pytest.param("source='deep/D'", "", ["HERE/deep/D"], id="in-a-directory-of-its-own"),
    ],
)
def test_the_dockerfile_is_in_the_context(
    runner: ImageRunner,
    request: pytest.FixtureRequest,
    fields: str,
    ignored: str,
    paths: list[str],
) -> None:
    name = f"dockerfile-{request.node.callspec.id}"
    runner.write(
        {
            f"{name}/BUILD": f"docker_buildkit_image(name='image', {fields})",
            f"{name}/Dockerfile": "FROM scratch\n",
            f"{name}/deep/D": "FROM scratch\n",
            f"{name}/.dockerignore": ignored,
        }
    )
    assert runner.context(f"{name}:image") == [each.replace("HERE", name) for each in paths]


def test_what_an_ignore_file_excludes_does_not_change_the_digest(runner: ImageRunner) -> None:
    files = {"a.txt": "", "noise.txt": "1", ".dockerignore": "noise.txt\n"}
    fields = "dependencies=[':files'], context_root='./'"
    context(runner, "noise", fields, files, FILES)
    before = runner.definition("noise:image")
    runner.write({"noise/noise.txt": "2", "noise/.dockerignore": "# again\nnoise.txt\n"})
    assert runner.definition("noise:image").job == before.job
    runner.write({"noise/a.txt": "changed"})
    assert runner.definition("noise:image").job != before.job


def test_named_contexts_have_their_own_directory_and_ignore_file(runner: ImageRunner) -> None:
    runner.write(
        {
            "named/web/BUILD": "files(name='web', sources=['*.css', '*.map'])",
            "named/web/a.css": "",
            "named/web/a.map": "",
            "named/web/.dockerignore": "*.map\n",
            "named/.dockerignore": "**\n",
        }
    )
    fields = "build_contexts={'web': 'named/web'}, context_root='./'"
    assert context(runner, "named", fields, {}) == []
    definition = runner.definition("named:image")
    assert {name: [e.path for e in entries] for name, entries in definition.contexts} == {
        "": [],
        "web": ["a.css"],
    }
    (named,) = definition.job.definition.named_contexts
    assert (named.name, named.directory) == ("web", "contexts/web")


def test_a_named_context_without_files_is_told(
    runner: ImageRunner, caplog: pytest.LogCaptureFixture
) -> None:
    group = "files(name='files', sources=['*.txt'])\ntarget(name='web', dependencies=[':files'])"
    context(runner, "group", "build_contexts={'web': ':web'}", {"a.txt": ""}, group)
    assert dict(runner.definition("group:image").contexts)["web"] == ()
    assert "The named context group:web is empty" in caplog.text


def test_a_named_context_is_in_the_digest(runner: ImageRunner) -> None:
    runner.write({"named2/web/BUILD": "files(name='web', sources=['*.css'])"})
    runner.write({"named2/web/a.css": "1"})
    context(runner, "named2", "build_contexts={'web': 'named2/web'}", {})
    before = runner.definition("named2:image").context_digest
    runner.write({"named2/web/a.css": "2"})
    assert runner.definition("named2:image").context_digest != before


def input_paths(runner: ImageRunner, definition: ImageDefinition, prefix: str) -> list[str]:
    entries = runner.runner.request(DigestEntries, (definition.inputs,))
    paths = [entry.path for entry in entries if isinstance(entry, FileEntry)]
    return sorted(path[len(prefix) :] for path in paths if path.startswith(prefix))


def test_the_input_tree_holds_the_dockerfile_and_the_job_and_of_the_context_the_digest(
    runner: ImageRunner,
) -> None:
    context(runner, "tree", "dependencies=[':files'], context_root='./'", {"a.txt": ""}, FILES)
    definition = runner.definition("tree:image")
    assert input_paths(runner, definition, "build/") == [
        "dockerfile/Dockerfile",
        "dockerfile/Dockerfile.dockerignore",
        "job.json",
    ]
    assert definition.job.definition.context == definition.context_digest


def test_an_executable_file_is_another_context(runner: ImageRunner) -> None:
    context(runner, "mode", "dependencies=[':s']", {"run.sh": ""}, "shell_sources(name='s')")
    before = runner.definition("mode:image").context_digest
    Path(runner.runner.build_root, "mode/run.sh").chmod(0o755)
    runner.write({"mode/run.sh": ""})
    assert runner.definition("mode:image").context_digest != before


def test_pants_is_not_asked_which_files_are_packages(
    runner: ImageRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def is_applicable(field_set: type[FieldSet], target: Target) -> bool:
        asked.append(target.address.target_name)
        return target.has_fields(field_set.required_fields) and not field_set.opt_out(target)

    monkeypatch.setattr(FieldSet, "is_applicable", classmethod(is_applicable))
    targets = f"{FILES}\narchive(name='archive', format='tar', files=[':files'])"
    fields = "dependencies=[':files', ':archive']"
    assert context(runner, "packages", fields, {"a.txt": ""}, targets) == [
        "packages/a.txt",
        "packages/archive.tar",
    ]
    assert "archive" in asked
    assert "files" not in asked


_OF_ARCHIVES = tuple(each for each in ArchiveTarget.core_fields if each not in COMMON_TARGET_FIELDS)


class _FileAndArchive(Target):
    alias = "file_and_archive"
    core_fields = (*COMMON_TARGET_FIELDS, Dependencies, FileSourceField, *_OF_ARCHIVES)


class _FilesAndArchives(TargetFilesGenerator):
    alias = "files_and_archives"
    core_fields = (*COMMON_TARGET_FIELDS, FilesGeneratingSourcesField)
    generated_target_cls = _FileAndArchive
    copied_fields = COMMON_TARGET_FIELDS
    moved_fields = (Dependencies, *_OF_ARCHIVES)


def test_a_package_may_be_of_a_type_that_only_its_generator_knows() -> None:
    runner = ImageRunner(create_rule_runner([_FilesAndArchives]))
    runner.set_options()
    targets = (
        f"{FILES}\nfiles_and_archives(name='all', sources=['*.in'], format='tar',"
        " files=[':files'], output_path='made/it.tar')"
    )
    files = {"a.txt": "", "a.in": ""}
    assert context(runner, "generated", "dependencies=[':all']", files, targets) == [
        "generated/a.in",
        "made/it.tar",
    ]
