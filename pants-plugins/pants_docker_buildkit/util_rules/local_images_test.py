"""Images in the local engine: do they get their names there, or does the build fail?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pants_docker_buildkit.registry.testing.fake_registry import FakeRegistry
from pants_docker_buildkit.session.testing.fake_engine import FakeEngine
from pants_docker_buildkit.solver.testing.fake_builder import FakeBuilder
from pants_docker_buildkit.testutil import ImageRunner


class User:
    """Loads images into an engine that has all that was loaded."""

    def __init__(self, runner: ImageRunner, directory: Path, registry: FakeRegistry) -> None:
        self.runner = runner
        self.builder = FakeBuilder(directory / "bin", registry)
        self.engine = FakeEngine(directory / "engine.sock")
        self.engine.has_all = True
        environment = {
            "PATH": self.builder.path,
            "HOME": str(directory),
            "DOCKER_HOST": self.engine.host,
        }
        runner.set_options(env=environment, inherit=())

    def has(self, **contents: str) -> None:
        """Targets for the engine by name, each with an image of this content."""
        for name, content in contents.items():
            self.builder.prepare(content)
            self.runner.write({f"{name}/Dockerfile": f"FROM scratch\nLABEL content={content}\n"})
            fields = "output='docker', repository='app', image_tags=['1']"
            self.runner.write({f"{name}/BUILD": f"docker_buildkit_image(name='image', {fields})"})


@pytest.fixture
def user(tmp_path: Path) -> Iterator[User]:
    with FakeRegistry().running() as registry:
        user = User(ImageRunner(), tmp_path, registry)
        with user.engine.running():
            yield user


def test_an_image_gets_its_tags_in_the_engine(user: User) -> None:
    user.has(one="first")
    user.runner.package("one:image")
    assert [tag for _, tag in user.engine.tags] == ["app:1"]


def test_a_tag_that_the_engine_could_not_set_is_an_error(user: User) -> None:
    user.engine.refusals["app:1"] = "read-only store."
    user.has(one="first")
    assert user.runner.failure("one:image", of_build=True) == (
        "The image one:image is in the local Docker Engine, but could not be tagged app:1 there:"
        " read-only store. Choose another repository or tag."
    )


def test_two_images_with_one_tag_are_refused(user: User) -> None:
    user.has(one="first", two="second")
    user.runner.package("one:image")
    assert user.runner.failure("two:image", of_build=True) == (
        "The tag app:1 must stand for one image, but these targets are different ones and have it:"
        " one:image, two:image. It stays where it is. Give them repositories or tags of their own."
    )


def test_one_image_of_two_targets_has_one_tag(user: User) -> None:
    user.has(one="same", two="same")
    user.runner.package("one:image")
    user.runner.package("two:image")
