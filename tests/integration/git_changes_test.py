"""Git sees what the key sees: the images that a changed file is an input of are found by it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from tests.integration.conftest import Machines
from tests.integration.workbench.machine import Checkout
from tests.integration.workbench.required import pants_version, plugin_sources

SETTINGS = """\
[GLOBAL]
pants_version = "{version}"
pythonpath = ["{plugin}"]
backend_packages = ["pants_docker_buildkit"]

[anonymous-telemetry]
enabled = false

[docker-buildkit]
policies = ["policies/org.rego"]
"""
APP = "app:image"
OTHER = "other:image"
FILES = {
    ".gitignore": ".pants*\n/dist/\n",
    ".dockerignore": "*.log\n",
    "app/BUILD": "docker_buildkit_image(name='image', build_contexts={'theme': 'theme:files'})\n"
    "file(name='page', source='page.html')",
    "app/Dockerfile": "FROM scratch\nCOPY app/page.html /\nCOPY app/static /static/\n"
    "COPY --from=theme . /theme/\n",
    "app/static/BUILD": "files(name='files', sources=['*.png'])",
    "app/static/a.png": "a",
    "app/static/b.png": "b",
    "app/page.html": "page",
    "theme/BUILD": "files(name='files', sources=['*.css'])",
    "theme/site.css": "css",
    "theme/.dockerignore": "draft.css\n",
    "other/BUILD": "docker_buildkit_image(name='image')\n",
    "other/Dockerfile": "FROM scratch\nCOPY <<EOF /a\nEOF\n",
    "other/Dockerfile.dockerignore": "*.log\n",
    "other/Dockerfile.rego": "package docker\n\ndefault decision := {'allow': true}\n",
    "rooted/BUILD": "docker_buildkit_image(name='image', context_root='root')\n"
    "docker_buildkit_image(name='child', source=None, context_root='./',"
    " instructions=['ARG BASE=rooted:image', 'FROM $BASE'])\n",
    "rooted/dockerfile": "FROM scratch\nCOPY <<EOF /a\nEOF\n",
    "root/.dockerignore": "*.log\n",
    "root/.gitkeep": "",
    "policies/org.rego": "package docker\n\ndefault decision := {'allow': true}\n",
}
ROOTED = {"rooted:image", "rooted:child"}
INPUTS = {
    ".dockerignore": {APP},
    "app/Dockerfile": {APP},
    "app/page.html": {APP},
    "app/static/a.png": {APP},
    "theme/site.css": {APP},
    "theme/.dockerignore": {APP},
    "other/Dockerfile": {OTHER},
    "other/Dockerfile.dockerignore": {OTHER},
    "other/Dockerfile.rego": {OTHER},
    "rooted/dockerfile": ROOTED,
    "root/.dockerignore": ROOTED,
    "policies/org.rego": {APP, OTHER, *ROOTED},
}


def git(checkout: Checkout, *arguments: str) -> None:
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    command = ("git", *identity, "-c", "init.defaultBranch=main", *arguments)
    subprocess.run(command, cwd=checkout.directory, check=True, capture_output=True)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    machines = Machines(tmp_path_factory.mktemp("git"))
    settings = SETTINGS.format(version=pants_version(), plugin=plugin_sources())
    files = {"pants.toml": settings, **FILES}
    checkout = machines.new("machine").checkout("checkout", files)
    git(checkout, "init")
    git(checkout, "add", ".")
    git(checkout, "commit", "--message=all")
    yield checkout
    machines.close()


def images(lines: str) -> set[str]:
    return {line for line in lines.split() if line.endswith((":image", ":child"))}


def changed_images(checkout: Checkout) -> set[str]:
    """What Git's changes lead to."""
    options = ("--changed-since=HEAD", "--changed-dependents=transitive")
    return images(checkout.pants(*options, "list", pantsd=True).output)


@pytest.mark.parametrize("path", INPUTS)
def test_the_images_that_a_changed_file_is_an_input_of_are_found(
    checkout: Checkout, path: str
) -> None:
    file = checkout.directory / path
    file.write_text(f"{file.read_text()}\n")
    try:
        assert changed_images(checkout) == INPUTS[path]
    finally:
        git(checkout, "checkout", "--", path)


@pytest.mark.parametrize(
    "path", [path for path in INPUTS if path.endswith((".rego", "ignore", "a.png"))]
)
def test_the_images_that_a_removed_file_was_an_input_of_are_found(
    checkout: Checkout, path: str
) -> None:
    (checkout.directory / path).unlink()
    try:
        # Others whose ignore file could be elsewhere are found with them.
        assert changed_images(checkout) >= INPUTS[path]
    finally:
        git(checkout, "checkout", "--", path)


@pytest.mark.parametrize("target", [APP, OTHER, "rooted:child"])
def test_the_files_that_an_image_is_made_from_are_listed(checkout: Checkout, target: str) -> None:
    listed = checkout.pants("filedeps", "--transitive", target, pantsd=True).output.split()
    assert {path for path, images in INPUTS.items() if target in images} <= set(listed)
    foreign = {path for path, images in INPUTS.items() if target not in images}
    assert not foreign & set(listed)
