"""What does the user read when a registry does not answer as it should?

Base images are looked up before a build, and images that have a record are looked up after it. Both
ask with the same client, and so with the same patience and the same words.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pants_docker_buildkit.registry.testing import faults
from pants_docker_buildkit.registry.testing.certificates import TestCertificates
from pants_docker_buildkit.registry.testing.fake_registry import FakeRegistry
from pants_docker_buildkit.registry.testing.faults import Fault
from pants_docker_buildkit.testutil import ImageRunner

ATTEMPTS = 4
SHA = "sha256:" + "a" * 64
MAINTENANCE = faults.oci_error(503, "UNAVAILABLE", "maintenance")


@pytest.fixture(scope="module")
def runner() -> ImageRunner:
    runner = ImageRunner()
    runner.write({"app/BUILD": "docker_buildkit_image(name='image')"})
    return runner


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry().running() as registry:
        yield registry


def base_image_failure(
    runner: ImageRunner, registry: FakeRegistry, *options: str, home: str = "/nonexistent"
) -> str:
    """The error for an image on `team/base:1` of the registry, whose address becomes `REGISTRY`."""
    runner.set_options(*options, env={"HOME": home})
    runner.write({"app/Dockerfile": f"FROM {registry.address}/team/base:1\n"})
    return runner.failure("app:image").replace(registry.address, "REGISTRY")


@pytest.mark.parametrize(
    ("fault", "sentence", "requests"),
    [
        pytest.param(
            faults.oci_error(401, "UNAUTHORIZED", "who are you"),
            "Could not look up REGISTRY/team/base:1 (HTTP 401). No"
            " credentials for REGISTRY were found: log in with 'docker login REGISTRY'.",
            1,
            id="401",
        ),
        pytest.param(
            faults.oci_error(403, "DENIED", "not yours"),
            "Could not look up REGISTRY/team/base:1 (HTTP 403 DENIED: not yours). Grant anonymous"
            " users access to the repository, or log in as somebody else with 'docker login"
            " REGISTRY'.",
            1,
            id="403",
        ),
        pytest.param(
            faults.oci_error(404, "NAME_UNKNOWN", "no such repository"),
            "The registry REGISTRY has no image REGISTRY/team/base:1.",
            1,
            id="404-repository",
        ),
        pytest.param(
            MAINTENANCE,
            "Could not look up REGISTRY/team/base:1 (HTTP 503). Check that"
            " REGISTRY is up and reachable from here, then run again.",
            ATTEMPTS,
            id="503",
        ),
    ],
)
def test_a_refusal_is_told_with_what_was_asked_and_the_next_step(
    runner: ImageRunner, registry: FakeRegistry, fault: Fault, sentence: str, requests: int
) -> None:
    # An answer to HEAD has no body, so there is no more to tell of most than their status.
    registry.plan(fault, times=None)
    text = base_image_failure(runner, registry)
    assert text.startswith(
        "The base image REGISTRY/team/base:1 of app:image (line 1 of its Dockerfile) must have a"
        " digest, but its registry did not return one. "
    )
    assert sentence in text
    assert registry.count("HEAD") + registry.count("GET", "manifests") >= requests


def test_a_registry_that_stays_down_is_asked_again_with_growing_waits(
    runner: ImageRunner, registry: FakeRegistry
) -> None:
    registry.plan(MAINTENANCE, times=None)
    started = time.monotonic()
    text = base_image_failure(runner, registry)
    assert "(HTTP 503" in text
    assert registry.count("HEAD", "/v2/team/base/manifests/1") == ATTEMPTS
    # Waits of 0.25, 0.5 and 1 second, each shortened at random by no more than half.
    assert time.monotonic() - started > 0.8


def test_a_registry_that_comes_back_is_not_noticed(
    runner: ImageRunner, registry: FakeRegistry
) -> None:
    registry.plan(MAINTENANCE, times=2)
    assert "has no image" in base_image_failure(runner, registry)
    assert registry.count("HEAD", "/v2/team/base/manifests/1") == 3


def test_a_registry_that_does_not_answer_in_time_is_named(
    runner: ImageRunner, registry: FakeRegistry
) -> None:
    registry.plan(faults.silent, times=None)
    text = base_image_failure(runner, registry, "registry-timeout=1")
    assert "Could not look up REGISTRY/team/base:1 (no answer in time)" in text


def test_a_certificate_that_nobody_trusts_says_what_to_configure(
    runner: ImageRunner, tmp_path: Path
) -> None:
    certificates = TestCertificates.write(tmp_path)
    with FakeRegistry(certificates=certificates).running() as registry:
        secure = f"'address': '{registry.address}', 'insecure': False"
        text = base_image_failure(runner, registry, f"registries={{'dev': {{{secure}}}}}")
        assert "Could not look up REGISTRY/team/base:1 (" in text
        assert "configure that authority's CA file" in text
        name = Path(certificates.ca_file).relative_to(tmp_path)
        for ca_file in (certificates.ca_file, f"~/{name}"):
            option = f"registries={{'dev': {{{secure}, 'ca_file': '{ca_file}'}}}}"
            text = base_image_failure(runner, registry, option, home=str(tmp_path))
            assert "The registry REGISTRY has no image REGISTRY/team/base:1." in text


def test_credentials_that_are_refused_are_named_and_never_shown(
    runner: ImageRunner, registry: FakeRegistry, tmp_path: Path
) -> None:
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker" / "config.json").write_text(
        f'{{"auths": {{"{registry.address}": {{"auth": "bWU6c2VjcmV0LXdvcmQ="}}}}}}'
    )
    refusal = faults.status(401, headers={"WWW-Authenticate": 'Basic realm="here"'})
    registry.plan(refusal, times=None)
    text = base_image_failure(runner, registry, home=str(tmp_path))
    assert "The registry refused the credentials of user 'me': log in again" in text
    assert "secret-word" not in text
    assert "bWU6" not in text


@pytest.mark.parametrize(
    ("fault", "finding"),
    [
        pytest.param(faults.oci_error(401, "UNAUTHORIZED"), "HTTP 401", id="401"),
        pytest.param(faults.oci_error(403, "DENIED"), "HTTP 403", id="403"),
        pytest.param(MAINTENANCE, "HTTP 503", id="503"),
        pytest.param(faults.hang_up, "connection", id="hang-up"),
    ],
)
def test_an_image_that_cannot_be_looked_up_is_neither_there_nor_missing(
    runner: ImageRunner, registry: FakeRegistry, fault: Fault, finding: str
) -> None:
    registry.plan(fault, times=None)
    runner.set_options(env={"HOME": "/nonexistent"})
    confirmation = runner.confirm(f"{registry.address}/team/app@{SHA}")
    assert confirmation.missing == ()
    assert confirmation.problem.startswith(f"Could not look up {registry.address}/team/app@{SHA}")
    assert finding in confirmation.problem


def test_an_image_in_a_repository_that_is_gone_is_missing(
    runner: ImageRunner, registry: FakeRegistry
) -> None:
    runner.set_options(env={"HOME": "/nonexistent"})
    reference = f"{registry.address}/team/app@{SHA}"
    confirmation = runner.confirm(reference)
    assert (confirmation.missing, confirmation.problem) == ((reference,), "")
    assert registry.count("HEAD") == 1


def test_of_two_registries_the_one_with_a_problem_is_named(
    runner: ImageRunner, registry: FakeRegistry
) -> None:
    runner.set_options(env={"HOME": "/nonexistent"})
    with FakeRegistry().running() as other:
        other.plan(faults.oci_error(403, "DENIED"), times=None)
        confirmation = runner.confirm(
            f"{registry.address}/team/app@{SHA}", f"{other.address}/team/app@{SHA}"
        )
    assert confirmation.missing == (f"{registry.address}/team/app@{SHA}",)
    assert other.address in confirmation.problem
