from __future__ import annotations

import os

import pytest
from pants.base.build_environment import get_buildroot
from pants.engine.internals.graph import Owners, OwnersRequest
from pants.engine.rules import QueryRule

from pants_docker_buildkit.testutil import ImageRunner, create_rule_runner

IMAGE = "docker_buildkit_image(name='image', {})"
ROOT = "//:_.dockerignore"


@pytest.fixture(scope="module")
def shared_runner() -> ImageRunner:
    return ImageRunner(create_rule_runner(rules=[QueryRule(Owners, (OwnersRequest,))]))


@pytest.fixture
def runner(shared_runner: ImageRunner) -> ImageRunner:
    shared_runner.clear()
    shared_runner.set_options()
    return shared_runner


def write_image(runner: ImageRunner, fields: str = "") -> None:
    runner.write({"src/app/BUILD": IMAGE.format(fields), "src/app/Dockerfile": "FROM scratch"})


def owners(runner: ImageRunner, *paths: str) -> set[str]:
    """The targets of these files, as for `--changed-since`."""
    request = OwnersRequest(paths, match_if_owning_build_file_included_in_sources=True)
    return {each.spec for each in runner.runner.request(Owners, (request,))}


def remove(runner: ImageRunner, path: str) -> None:
    os.unlink(os.path.join(get_buildroot(), path))
    runner.runner.scheduler.invalidate_files({path, os.path.dirname(path)})


def test_an_image_depends_on_the_ignore_file_of_its_context_root(runner: ImageRunner) -> None:
    write_image(runner)
    assert runner.input_files("src/app:image") == {ROOT}
    write_image(runner, "context_root='src'")
    # It may be added, and be removed again.
    assert runner.input_files("src/app:image") == {ROOT}
    runner.write({"src/.dockerignore": "*.log", "other/.dockerignore": ""})
    assert runner.input_files("src/app:image") == {"src:_.dockerignore"}
    assert owners(runner, "src/.dockerignore") == {"src:_.dockerignore"}
    remove(runner, "src/.dockerignore")
    assert owners(runner, "src/.dockerignore") == {ROOT}
    assert owners(runner, ".dockerignore") == {ROOT}


def test_what_lies_beside_a_dockerfile_is_of_its_image_also_once_it_is_gone(
    runner: ImageRunner,
) -> None:
    write_image(runner, "source='./Dockerfile'")
    beside = ("src/app/Dockerfile.dockerignore", "src/app/Dockerfile.rego")
    runner.write(dict.fromkeys(beside, ""))
    found = {"src/app:_Dockerfile.dockerignore", "src/app:_Dockerfile.rego"}
    # Another ignore file does not count then.
    assert runner.input_files("src/app:image") == found
    assert owners(runner, *beside) == {"src/app:image", *found}
    for path in beside:
        remove(runner, path)
    assert runner.input_files("src/app:image") == {ROOT}
    assert "src/app:image" in owners(runner, beside[0])
    assert owners(runner, beside[1]) == {"src/app:image"}


def test_a_name_that_no_target_may_have_keeps_nobody_from_theirs(runner: ImageRunner) -> None:
    write_image(runner, "source='a=b%@c.Dockerfile'")
    runner.write({"src/app/a=b%@c.Dockerfile": "FROM scratch\nCOPY . /\n"})
    beside = "src/app/a=b%@c.Dockerfile.dockerignore"
    runner.write(
        {beside: "", "src/app/a=b.Dockerfile.dockerignore": "", "src/app/a=b.Dockerfile": ""}
    )
    found = {"src/app:_a%3db%25%40c.Dockerfile.dockerignore"}
    assert runner.input_files("src/app:image") == found
    assert owners(runner, beside) == {"src/app:image", *found}


def test_named_contexts_have_ignore_files_of_their_own(runner: ImageRunner) -> None:
    write_image(runner, "build_contexts={'theme': 'theme:files'}, context_root='./'")
    runner.write({"src/app/Dockerfile": "FROM scratch\nCOPY --from=theme . /\n"})
    runner.write({"theme/BUILD": "files(name='files', sources=['*.css'])", "theme/a.css": ""})
    assert runner.input_files("src/app:image") == {ROOT}
    assert "src/app:image" in owners(runner, "src/app/.dockerignore")
    runner.write({"theme/.dockerignore": "b.css", "src/app/.dockerignore": ""})
    found = {"src/app:_.dockerignore", "theme:_.dockerignore", ROOT}
    assert runner.input_files("src/app:image") == found


def test_all_images_depend_on_the_policies_of_the_option(runner: ImageRunner) -> None:
    write_image(runner)
    runner.write({"rules/company.rego": ""})
    runner.set_options("policies=['rules/company.rego']")
    assert runner.input_files("src/app:image") == {ROOT, "rules:_company.rego"}
    assert owners(runner, "rules/company.rego") == {"rules:_company.rego"}


def test_an_image_depends_on_its_lock_where_that_is_used(runner: ImageRunner) -> None:
    write_image(runner, "resolve='team'")
    resolves = "resolves={'docker-images': 'all.dockerfile', 'team': 'locks/team.dockerfile'}"
    runner.write({"locks/team.dockerfile": "", "all.dockerfile": ""})
    runner.set_options(resolves)
    assert runner.input_files("src/app:image") == {ROOT}
    assert owners(runner, "locks/team.dockerfile") == set()
    for mode in ("locked", "frozen"):
        runner.set_options(resolves, f"base-images={mode}")
        assert runner.input_files("src/app:image") == {ROOT, "locks:_team.dockerfile"}
        assert owners(runner, "locks/team.dockerfile") == {"locks:_team.dockerfile"}
    remove(runner, "locks/team.dockerfile")
    assert owners(runner, "locks/team.dockerfile") == {"locks:_team.dockerfile"}


def test_other_files_with_these_endings_get_no_target(runner: ImageRunner) -> None:
    runner.write({"policies/authz.rego": "", "old/Dockerfile.dockerignore": ""})
    assert owners(runner, "policies/authz.rego") == set()
    assert owners(runner, "old/Dockerfile.dockerignore") == set()


def test_a_dockerfile_in_lower_case_is_used_where_there_is_no_other(runner: ImageRunner) -> None:
    runner.write({"src/app/BUILD": IMAGE.format(""), "src/app/dockerfile": "FROM scratch"})
    runner.write({"src/app/dockerfile.dockerignore": ""})
    assert runner.definition("src/app:image").job.definition.context
    assert runner.input_files("src/app:image") == {
        "src/app:_dockerfile",
        "src/app:_dockerfile.dockerignore",
    }
    assert owners(runner, "src/app/dockerfile") == {"src/app:image", "src/app:_dockerfile"}
    runner.write({"src/app/Dockerfile": "FROM scratch\nLABEL a=1\n"})
    assert runner.input_files("src/app:image") == {ROOT}
