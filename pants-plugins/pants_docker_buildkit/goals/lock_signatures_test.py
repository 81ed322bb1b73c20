"""What must be signed gets into a lock only if it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pants.base.build_environment import get_buildroot
from pants.core.goals.generate_lockfiles import GenerateLockfilesGoal
from pants.engine.internals.scheduler import ExecutionError

from pants_docker_buildkit.registry.testing.fake_registry import FakeRegistry
from pants_docker_buildkit.registry.testing.images import SmallImage
from pants_docker_buildkit.signatures.testing.identity import IDENTITY, ISSUER, CertifiedSigner
from pants_docker_buildkit.signatures.testing.real_cosign import KeyPair, cosign_program
from pants_docker_buildkit.testutil import ImageRunner

BASE, TOOL = SmallImage.create("base"), SmallImage.create("tool")
LOCK = "3rdparty/docker/images.lock.dockerfile"


@pytest.fixture(scope="module")
def shared_runner() -> Iterator[ImageRunner]:
    runner = ImageRunner()
    yield runner
    runner.close()


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry().running() as registry:
        for image, name in ((BASE, "base"), (TOOL, "tool")):
            image.store(registry.repository(name), "1")
        yield registry


@pytest.fixture
def runner(shared_runner: ImageRunner, registry: FakeRegistry) -> ImageRunner:
    """With one image in its repository, which is made of two of others."""
    shared_runner.clear()
    host = registry.address
    dockerfile = f"FROM {host}/base:1\nCOPY --from={host}/tool:1 / /\n"
    build = "docker_buildkit_image(platforms=['linux/amd64'])"
    shared_runner.write({"app/BUILD": build, "app/Dockerfile": dockerfile})
    return shared_runner


def generate(runner: ImageRunner, verify: object) -> list[str]:
    """Write the lock, and give its lines about images."""
    runner.runner.run_goal_rule(
        GenerateLockfilesGoal,
        args=["--resolve=docker-images"],
        global_args=[
            f"--docker-buildkit-signatures-verify={verify}",
            f"--docker-buildkit-signatures-cosign={cosign_program()}",
        ],
        env_inherit={"PATH"},
    )
    lines = Path(get_buildroot(), LOCK).read_text().splitlines()
    return [each for each in lines if each.startswith("FROM")]


def refusal(runner: ImageRunner, verify: object) -> str:
    with pytest.raises(ExecutionError) as failure:
        generate(runner, verify)
    assert not Path(get_buildroot(), LOCK).exists()
    return str(failure.value)


def test_an_image_that_nobody_signed_gets_into_no_lock(
    runner: ImageRunner, registry: FakeRegistry, keys: KeyPair, stranger: KeyPair
) -> None:
    host = registry.address
    verify = {f"{host}/*": {"key": str(keys.public)}, f"{host}/tool": {"unsigned": True}}
    said = refusal(runner, verify)
    assert f"{host}/base:1@{BASE.digest}, of the lock {LOCK}, must be signed" in said
    assert f"says for '{host}/*'. Nothing beside it is a signature." in said
    stranger.sign(f"{host}/base@{BASE.digest}")
    assert "accepted signatures do not match threshold" in refusal(runner, verify)
    alternatives = [{"key": str(stranger.public)}, {"key": str(keys.public)}]
    locked = generate(runner, {**verify, f"{host}/*": alternatives})
    assert len(locked) == 2


def test_whom_a_certificate_names_is_found_by_pattern(
    runner: ImageRunner, registry: FakeRegistry, tmp_path: Path
) -> None:
    signer = CertifiedSigner.create(tmp_path)
    pattern, root = f"{registry.address}/base*", tmp_path / "root.json"
    root.write_bytes(signer.trusted_root.read_bytes())
    accepted = {
        "identity_regexp": r"https://ci\.example/[a-z]+/release",
        "issuer": ISSUER,
        "trusted_root": str(root),
        "transparency_log": False,
    }
    signer.sign(f"{registry.address}/base@{BASE.digest}")
    stranger = {**accepted, "identity_regexp": "https://ci.example/other/.*"}
    assert "expected SAN value to match regex" in refusal(runner, {pattern: stranger})
    other = {**accepted, "issuer": "https://other.example"}
    assert "expected issuer value" in refusal(runner, {pattern: other})
    in_log = {name: value for name, value in accepted.items() if name != "transparency_log"}
    assert "not enough verified log entries" in refusal(runner, {pattern: in_log})
    exact = {**accepted, "identity": IDENTITY}
    del exact["identity_regexp"]
    for each in (accepted, exact):
        assert len(generate(runner, {pattern: each})) == 2
        Path(get_buildroot(), LOCK).unlink()
    # What was accepted once is not, once nobody trusts who vouched for it.
    root.write_text('{"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1"}')
    assert "must be signed" in refusal(runner, {pattern: accepted})
    root.write_text("")
    assert f"The trusted root {root} is empty." in refusal(runner, {pattern: accepted})


def test_a_pattern_that_matches_nothing_is_warned_of(
    runner: ImageRunner, registry: FakeRegistry, keys: KeyPair, caplog: pytest.LogCaptureFixture
) -> None:
    keys.sign(f"{registry.address}/base@{BASE.digest}")
    verify = {
        f"{registry.address}/base:1": {"key": str(keys.public)},
        "misspelt.example/*": {"key": "nowhere"},
    }
    assert len(generate(runner, verify)) == 2
    assert "verify': 'misspelt.example/*'. Other locks" in caplog.text


@pytest.mark.parametrize(
    ("entry", "requirement"),
    [
        ({}, "have a `key`, or `identity` or `identity_regexp`, but has neither"),
        ({"identity": "a"}, "have a `key`, or `issuer` or `issuer_regexp`, but has neither"),
        ({"key": "a", "identity": "b"}, "where it has a key, but has `identity`"),
        ({"key": "a", "unsigned": True}, "where that is true, but has `key`"),
        ({"keys": ["a"]}, "but has `keys`"),
        ([], "say what is accepted, but is empty"),
        ("a.pub", "be a table, as {name = \"value\"}, but is 'a.pub'"),
    ],
)
def test_what_an_entry_must_be(runner: ImageRunner, entry: object, requirement: str) -> None:
    said = refusal(runner, {"a/*": entry})
    assert "`[docker-buildkit-signatures].verify.a/*` must" in said
    assert requirement in said
