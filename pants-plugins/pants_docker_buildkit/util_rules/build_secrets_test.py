from __future__ import annotations

from pathlib import Path

import pytest

from pants_docker_buildkit.testutil import ImageRunner
from pants_docker_buildkit.util_rules.build_secrets import hash_secret

KEY = "secret-hash-key=env=KEY"


@pytest.fixture(scope="module")
def shared_runner() -> ImageRunner:
    return ImageRunner()


@pytest.fixture
def runner(shared_runner: ImageRunner) -> ImageRunner:
    shared_runner.clear()
    shared_runner.set_options(KEY, env={"KEY": "k3y", "TOKEN": "s3cret", "PATH": "/usr/bin:/bin"})
    shared_runner.write({"app/Dockerfile": "FROM scratch\n", "app/token": "s3cret"})
    return shared_runner


def declare(runner: ImageRunner, fields: str) -> None:
    runner.write({"app/BUILD": f"docker_buildkit_image(name='image', {fields})"})


def hashes(runner: ImageRunner) -> dict[str, str]:
    return dict(runner.definition("app:image").job.definition.secret_hashes)


def test_a_hash_is_of_the_value_wherever_it_comes_from(runner: ImageRunner) -> None:
    found = []
    files = ("app/token", "./token", "../app/token", "file=app/token")
    for source in ("env=TOKEN", *files, "command=printf s3cret"):
        declare(runner, f"secrets={{'token': {source!r}}}, hashed_secrets=['token']")
        found.append(hashes(runner))
    assert found == [found[0]] * 6
    assert set(found[0]) == {"token"}


def test_secrets_count_only_where_they_shall(runner: ImageRunner) -> None:
    declare(runner, "secrets={'a': 'env=TOKEN', 'b': 'env=MISSING'}, hashed_secrets=['a']")
    assert set(hashes(runner)) == {"a"}
    declare(runner, "secrets={'a': 'env=TOKEN'}")
    assert hashes(runner) == {}


def test_a_hash_tells_nothing_without_its_key() -> None:
    key, other = b"1" * 32, b"2" * 32
    assert hash_secret("a", b"value", key) == hash_secret("a", b"value", key)
    assert hash_secret("a", b"value", key) != hash_secret("a", b"value", other)
    assert hash_secret("a", b"value", key) != hash_secret("a", b"other", key)
    # The ID and the value do not run into each other.
    assert hash_secret("a", b"bc", key) != hash_secret("ab", b"c", key)


def test_a_value_that_changes_outside_of_the_repository_is_seen_in_the_next_session(
    runner: ImageRunner, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text("one")
    declare(runner, f"secrets={{'token': '{file}'}}, hashed_secrets=['token']")
    before = hashes(runner)
    file.write_text("two")
    runner.set_options(KEY, env={"KEY": "k3y", "PATH": "/usr/bin:/bin"})
    assert hashes(runner) != before


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (
            "hashed_secrets=['token']",
            "The `hashed_secrets` field in target app:image must name secrets of the field"
            " `secrets`, but it has no 'token'.",
        ),
        (
            "secrets={'token': 'env='}, hashed_secrets=['token']",
            "The `secrets` field in target app:image must be `env=NAME`, `file=PATH` or"
            " `command=COMMAND`, or a path, but 'token' is not.",
        ),
        (
            "secrets={'token': 'env=OTHER'}, hashed_secrets=['token']",
            "The `secrets` field in target app:image must give the secret 'token', whose content"
            " counts, but of `env=OTHER`, the variable is not set.",
        ),
    ],
)
def test_the_user_of_a_hashed_secret_reads(runner: ImageRunner, fields: str, text: str) -> None:
    declare(runner, fields)
    assert runner.failure("app:image") == text


@pytest.mark.parametrize(
    ("options", "finding"),
    [
        ((), "it is not set"),
        (
            ("secret-hash-key=k3y",),
            "it is something else, which is not shown here because it may be the key",
        ),
    ],
)
def test_a_hash_needs_a_key(runner: ImageRunner, options: tuple[str, ...], finding: str) -> None:
    runner.set_options(*options, env={"TOKEN": "s3cret"})
    declare(runner, "secrets={'token': 'env=TOKEN'}, hashed_secrets=['token']")
    assert runner.failure("app:image") == (
        "The option `[docker-buildkit].secret_hash_key` must be `env=NAME`, `file=PATH` or"
        f" `command=COMMAND`, because app:image has `hashed_secrets`, but {finding}."
    )


@pytest.mark.parametrize(
    ("key", "finding"),
    [
        ("env=MISSING", "of `env=MISSING`, the variable is not set"),
        ("env=EMPTY", "`env=EMPTY` gives none"),
    ],
)
def test_a_key_needs_a_value(runner: ImageRunner, key: str, finding: str) -> None:
    runner.set_options(f"secret-hash-key={key}", env={"TOKEN": "s3cret", "EMPTY": ""})
    declare(runner, "secrets={'token': 'env=TOKEN'}, hashed_secrets=['token']")
    assert runner.failure("app:image") == (
        f"The option `[docker-buildkit].secret_hash_key` must give a value, but {finding}."
    )
