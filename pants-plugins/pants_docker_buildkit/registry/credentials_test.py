from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import pytest

from pants_docker_buildkit.registry.credential_helper import CredentialHelperError
from pants_docker_buildkit.registry.credentials import (
    Credentials,
    DockerConfig,
    InvalidDockerConfigError,
    docker_credentials,
    invalid_configurations,
)
from pants_docker_buildkit.registry.errors import Identity

SECRET = "s3cret:with colon"


def encode(username: str, password: str) -> str:
    return base64.b64encode(f"{username}:{password}".encode()).decode()


def write_config(directory: Path, document: object) -> DockerConfig:
    (directory / "config.json").write_text(json.dumps(document))
    return DockerConfig.load(directory, {"PATH": f"{directory}{os.pathsep}{os.defpath}"})


def write_helper(directory: Path, name: str, script: str) -> None:
    path = directory / f"docker-credential-{name}"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_a_repr_shows_no_secret(tmp_path: Path) -> None:
    credentials = Credentials("me", SECRET, "identity token", "registry token")
    config = write_config(tmp_path, {"auths": {"ghcr.io": {"auth": encode("me", SECRET)}}})
    for text in (repr(credentials), str(credentials), repr(config)):
        assert "s3cret" not in text
        assert "token'" not in text
    assert credentials.identity == Identity("user 'me'")


@pytest.mark.parametrize(
    "key", ["ghcr.io", "https://ghcr.io", "https://ghcr.io/v1/", "http://ghcr.io/v2/"]
)
def test_the_file_is_matched_by_host_however_the_key_is_written(tmp_path: Path, key: str) -> None:
    config = write_config(tmp_path, {"auths": {key: {"auth": encode("me", SECRET)}}})
    assert config.find("ghcr.io") == Credentials("me", SECRET)
    assert config.find("other.io") is None
    assert config.find("ghcr.io:5000") is None


@pytest.mark.parametrize("key", ["https://index.docker.io/v1/", "docker.io", "index.docker.io"])
def test_docker_hub_is_found_by_all_its_names(tmp_path: Path, key: str) -> None:
    config = write_config(tmp_path, {"auths": {key: {"auth": encode("me", SECRET)}}})
    assert config.find("docker.io") == Credentials("me", SECRET)


def test_tokens_are_read(tmp_path: Path) -> None:
    auths = {
        "a.io": {"auth": encode("me", ""), "identitytoken": "long lived"},
        "b.io": {"registrytoken": "short lived"},
        "c.io": {"username": "me", "password": SECRET},
    }
    config = write_config(tmp_path, {"auths": auths})
    assert config.find("a.io") == Credentials("me", "", identity_token="long lived")
    assert config.find("b.io") == Credentials(registry_token="short lived")
    assert config.find("c.io") == Credentials("me", SECRET)


def test_an_empty_entry_says_nothing(tmp_path: Path) -> None:
    assert write_config(tmp_path, {"auths": {"ghcr.io": {}}}).find("ghcr.io") is None


@pytest.mark.parametrize("document", [{}, {"auths": None}, {"credsStore": ""}])
def test_a_configuration_without_credentials_has_none(tmp_path: Path, document: object) -> None:
    assert write_config(tmp_path, document).find("ghcr.io") is None


@pytest.mark.parametrize(
    "text",
    [
        '{"AUTHS": {"ghcr.io": {"Auth": "bWU6czNjcmV0"}}}',
        '{"auths": {"ghcr.io": {"auth": "bWU6czNjcmV0"}}} and more',
        '{"auths": 5, "auths": {"ghcr.io": {"auth": "bWU6czNjcmV0"}}}',
        '\n {"x": {}, "x": [], "auths": {"ghcr.io": {"username": "me", "PASSWORD": "s3cret"}}}',
    ],
)
def test_a_configuration_is_read_as_docker_reads_it(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text)
    assert DockerConfig.load(tmp_path, {}).find("ghcr.io") == Credentials("me", "s3cret")


@pytest.mark.parametrize("pair", [("me", ""), ("", "s3cret"), ("", "")])
def test_a_user_without_password_is_nobody(tmp_path: Path, pair: tuple[str, str]) -> None:
    config = write_config(tmp_path, {"auths": {"ghcr.io": {"auth": encode(*pair)}}})
    assert config.find("ghcr.io") is None
    write_helper(
        tmp_path, "store", f"""echo '{{"Username": "{pair[0]}", "Secret": "{pair[1]}"}}'"""
    )
    assert write_config(tmp_path, {"credsStore": "store"}).find("ghcr.io") is None


def test_a_configuration_may_be_in_a_variable() -> None:
    text = '{"auths": {"ghcr.io": {"auth": "bWU6czNjcmV0"}}}'
    find = docker_credentials({}, {"DOCKER_AUTH_CONFIG": text})
    assert find("ghcr.io") == Credentials("me", "s3cret")
    assert find("quay.io") is None
    assert docker_credentials({}, {})("ghcr.io") is None


def test_a_configuration_that_cannot_be_read_has_no_credentials_and_is_named(
    tmp_path: Path,
) -> None:
    environment = {"DOCKER_AUTH_CONFIG": "s3cret", "DOCKER_CONFIG": str(tmp_path)}
    (tmp_path / "config.json").write_text("[]")
    assert docker_credentials(environment, environment)("ghcr.io") is None
    assert invalid_configurations(environment) == (
        "The Docker configuration $DOCKER_AUTH_CONFIG is not valid: it must be JSON (line 1:"
        " Expecting value). It is not used, nor are its logins.",
        f"The Docker configuration {tmp_path}/config.json is not valid: it must be a JSON object."
        " It is not used, nor are its logins.",
    )
    assert invalid_configurations({}) == ()


def test_a_configuration_where_nobody_may_look_is_one_that_cannot_be_read(tmp_path: Path) -> None:
    # Root may look everywhere, but not for such a name.
    hidden = tmp_path / ("x" * 300)
    environment = {"DOCKER_CONFIG": str(hidden)}
    assert docker_credentials(environment, {})("ghcr.io") is None
    (problem,) = invalid_configurations(environment)
    assert problem.startswith(f"The Docker configuration {hidden} is not valid: ")


def test_a_configuration_that_does_not_exist_has_no_credentials(tmp_path: Path) -> None:
    assert DockerConfig.load(tmp_path / "absent", {}).find("ghcr.io") is None
    assert DockerConfig.load(tmp_path, {}).find("ghcr.io") is None


@pytest.mark.parametrize(
    ("content", "finding"),
    [
        ("{", "it must be JSON"),
        ("[]", "it must be a JSON object"),
        ('{"auths": []}', "'auths' must be a JSON object"),
        ('{"auths": {"ghcr.io": "s3cret"}}', "'auths'.'ghcr.io' must be a JSON object"),
        ('{"auths": {"ghcr.io": {"auth": 5}}}', "'auth' must be text"),
        ('{"auths": {"ghcr.io": {"auth": "czNjcmV0"}}}', "must be base64 of 'user:password'"),
        ('{"auths": {"ghcr.io": {"auth": "*"}}}', "must be base64 of 'user:password'"),
        ('{"auths": {"ghcr.io": {"auth": "é"}}}', "must be base64 of 'user:password'"),
    ],
)
def test_a_configuration_that_is_not_valid_is_named_without_its_secrets(
    tmp_path: Path, content: str, finding: str
) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(InvalidDockerConfigError, match=finding) as info:
        DockerConfig.load(tmp_path, {}).find("ghcr.io")
    assert str(tmp_path / "config.json") in str(info.value)
    assert "s3cret" not in str(info.value)


def test_one_bad_entry_does_not_take_the_others_with_it(tmp_path: Path) -> None:
    good = {"auth": encode("me", SECRET)}
    auths = {"bad.io": {"auth": "*"}, "worse.io": 5, "ghcr.io": good}
    assert write_config(tmp_path, {"auths": auths}).find("ghcr.io") == Credentials("me", SECRET)


def test_a_helper_is_asked_for_its_registry(tmp_path: Path) -> None:
    script = """read server; echo "{\\"Username\\": \\"$server\\", \\"Secret\\": \\"from $1\\"}" """
    write_helper(tmp_path, "one", script)
    config = write_config(tmp_path, {"credHelpers": {"ghcr.io": "one"}})
    assert config.find("ghcr.io") == Credentials("ghcr.io", "from get")
    assert config.find("other.io") is None


def test_a_helper_for_one_registry_goes_before_the_store_for_all(tmp_path: Path) -> None:
    for name in ("one", "all"):
        write_helper(tmp_path, name, f'echo \'{{"Username": "{name}", "Secret": "x"}}\'')
    config = write_config(tmp_path, {"credsStore": "all", "credHelpers": {"ghcr.io": "one"}})
    assert config.find("ghcr.io") == Credentials("one", "x")
    assert config.find("other.io") == Credentials("all", "x")


@pytest.mark.parametrize(
    "helpers", [{"credHelpers": {"ghcr.io": "one"}}, {"credsStore": "one"}], ids=["one", "all"]
)
def test_a_helper_that_the_variable_names_is_not_asked(
    tmp_path: Path, helpers: dict[str, object]
) -> None:
    """Docker asks none, but reads its file."""
    write_config(tmp_path, {"auths": {"ghcr.io": {"auth": encode("me", SECRET)}}})
    find = docker_credentials(
        {"DOCKER_CONFIG": str(tmp_path)}, {"DOCKER_AUTH_CONFIG": json.dumps(helpers)}
    )
    assert find("ghcr.io") == Credentials("me", SECRET)


def test_the_empty_name_of_a_helper_is_the_file(tmp_path: Path) -> None:
    config = {
        "credsStore": "absent",
        "credHelpers": {"ghcr.io": ""},
        "auths": {"ghcr.io": {"auth": encode("me", SECRET)}},
    }
    assert write_config(tmp_path, config).find("ghcr.io") == Credentials("me", SECRET)


def test_docker_hub_is_asked_of_a_helper_by_its_old_name(tmp_path: Path) -> None:
    write_helper(
        tmp_path, "one", 'read s; echo "{\\"Username\\": \\"$s\\", \\"Secret\\": \\"x\\"}"'
    )
    found = write_config(tmp_path, {"credsStore": "one"}).find("docker.io")
    assert found == Credentials("https://index.docker.io/v1/", "x")


def test_an_identity_token_from_a_helper_is_recognised(tmp_path: Path) -> None:
    write_helper(tmp_path, "one", 'echo \'{"Username": "<token>", "Secret": "long lived"}\'')
    found = write_config(tmp_path, {"credsStore": "one"}).find("ghcr.io")
    assert found == Credentials(identity_token="long lived")


@pytest.mark.parametrize(
    "script",
    [
        'echo "credentials not found in native keychain"; exit 1',
        'echo \'{"Username": "", "Secret": ""}\'',
    ],
)
def test_nobody_is_logged_in_where_a_helper_has_nothing(tmp_path: Path, script: str) -> None:
    """As in buildx 0.29 and 0.36: what the file has is from before there was a helper."""
    write_helper(tmp_path, "one", script)
    auths = {"ghcr.io": {"auth": encode("me", SECRET)}}
    for helpers in ({"credsStore": "one"}, {"credHelpers": {"ghcr.io": "one"}}):
        assert write_config(tmp_path, {**helpers, "auths": auths}).find("ghcr.io") is None


@pytest.mark.parametrize(
    ("script", "finding"),
    [
        ("echo s3cret; echo 'no keyring' >&2; exit 3", "failed with exit code 3: no keyring"),
        ("echo s3cret", "gave no 'Username' and 'Secret' in JSON"),
        ("yes s3cret", "printed more than 1048576 bytes"),
        ('echo \'{"Username": "s3cret"}\'', "gave no 'Username' and 'Secret' in JSON"),
    ],
)
def test_a_helper_that_fails_is_named_without_its_output(
    tmp_path: Path, script: str, finding: str
) -> None:
    write_helper(tmp_path, "one", script)
    with pytest.raises(CredentialHelperError) as info:
        write_config(tmp_path, {"credsStore": "one"}).find("ghcr.io")
    assert str(info.value) == f"the credential helper 'docker-credential-one' {finding}"


@pytest.mark.parametrize(
    ("name", "finding"),
    [
        ("absent", "is not on '.docker-buildkit..executable_search_paths'"),
        ("../evil", "has a name that no program has"),
        ("a/b", "has a name that no program has"),
    ],
)
def test_a_helper_is_looked_for_on_the_given_path_only(
    tmp_path: Path, name: str, finding: str
) -> None:
    write_helper(tmp_path, "evil", "echo '{}'")
    with pytest.raises(CredentialHelperError, match=finding):
        write_config(tmp_path, {"credsStore": name}).find("ghcr.io")


def test_a_helper_runs_in_the_given_environment(tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("ONLY_HERE", "1")
    write_helper(
        tmp_path, "one", 'echo "{\\"Username\\": \\"u\\", \\"Secret\\": \\"x$ONLY_HERE\\"}"'
    )
    assert write_config(tmp_path, {"credsStore": "one"}).find("a.io") == Credentials("u", "x")


def test_a_login_is_seen_without_loading_the_configuration_again(tmp_path: Path) -> None:
    find = docker_credentials({"DOCKER_CONFIG": str(tmp_path)}, {})
    assert find("ghcr.io") is None
    write_config(tmp_path, {"auths": {"ghcr.io": {"auth": encode("me", SECRET)}}})
    assert find("ghcr.io") == Credentials("me", SECRET)


def test_a_variable_comes_before_the_configuration(tmp_path: Path) -> None:
    logins = {each: {"auth": encode("file", SECRET)} for each in ("ghcr.io", "other.io")}
    write_config(tmp_path, {"auths": logins})
    variable = json.dumps({"auths": {"ghcr.io": {"auth": encode("variable", SECRET)}}})
    find = docker_credentials({"DOCKER_CONFIG": str(tmp_path)}, {"DOCKER_AUTH_CONFIG": variable})
    assert find("ghcr.io") == Credentials("variable", SECRET)
    assert find("other.io") == Credentials("file", SECRET)
