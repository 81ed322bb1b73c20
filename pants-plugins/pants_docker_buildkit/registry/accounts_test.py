from __future__ import annotations

from pathlib import Path

import pytest

from pants_docker_buildkit.registry.accounts import Account, Accounts
from pants_docker_buildkit.registry.clients import RegistryClients
from pants_docker_buildkit.registry.credential_helper import CredentialsUnavailableError
from pants_docker_buildkit.registry.credentials import Credentials
from pants_docker_buildkit.registry.errors import CredentialsError, UnauthorizedError
from pants_docker_buildkit.registry.secret_source import SecretSource
from pants_docker_buildkit.registry.testing.access import BasicAccess
from pants_docker_buildkit.registry.testing.fake_registry import FakeRegistry

PASSWORD = SecretSource.parse("env=PASSWORD")
FROM_DOCKER = Credentials("docker", "s3cret")


def account(name: str, *repositories: str, registry: str = "ghcr.io") -> Account:
    return Account(name, registry, name, PASSWORD, repositories)


ACCOUNTS = Accounts(
    [account("team", "org/team"), account("app", "org/team/app", "other"), account("rest")],
    lambda _: FROM_DOCKER,
    {"PASSWORD": "s3cret", "EMPTY": " "},
)


@pytest.mark.parametrize(
    ("repository", "username"),
    [
        ("org/team", "team"),
        ("org/team/lib", "team"),
        ("org/teams", "rest"),
        ("org/team/app", "app"),
        ("org/team/app/debug", "app"),
        ("other", "app"),
        ("else", "rest"),
    ],
)
def test_the_account_with_the_longest_path_is_used(repository: str, username: str) -> None:
    assert ACCOUNTS.find_for("ghcr.io", repository) == Credentials(username, "s3cret")


def test_of_several_accounts_for_everything_the_first_by_name_is_used() -> None:
    accounts = Accounts([account("b"), account("a")], environment={"PASSWORD": "s3cret"})
    assert accounts.find_for("ghcr.io", "app") == Credentials("a", "s3cret")


def test_another_registry_has_the_credentials_that_docker_has() -> None:
    assert ACCOUNTS.find_for("quay.io", "org/team") == FROM_DOCKER


@pytest.mark.parametrize("registry", ["dhi.io", "registry.scout.docker.com"])
def test_registries_of_docker_hub_take_its_login_where_there_is_none_for_them(
    registry: str,
) -> None:
    hub, own = Credentials("hub", "s3cret"), Credentials("own", "s3cret")
    logins = {"docker.io": hub}
    assert Accounts(fallback=logins.get).find_for(registry, "python") == hub
    assert Accounts(fallback=logins.get).find_for("ghcr.io", "python") is None
    assert Accounts(fallback={**logins, registry: own}.get).find_for(registry, "python") == own
    options = Accounts([account("team", registry="docker.io")], logins.get, {"PASSWORD": "s3cret"})
    assert options.find_for(registry, "python") == Credentials("team", "s3cret")


def test_a_user_name_may_have_a_source_too(tmp_path: Path) -> None:
    (tmp_path / "user").write_text("me\n")
    source = SecretSource.parse(f"file={tmp_path}/user")
    accounts = Accounts([Account("a", "ghcr.io", source, PASSWORD)], environment={"PASSWORD": "x"})
    assert accounts.find_for("ghcr.io", "app") == Credentials("me", "x")


@pytest.mark.parametrize(
    ("source", "finding"),
    [
        ("env=NOT_SET", "env=NOT_SET, but the variable is not set"),
        ("env=EMPTY", "env=EMPTY, but it is empty"),
        (r"command=printf '\377'", r"command=printf '\377', but it gives no text"),
    ],
)
def test_an_account_without_a_password_names_its_option(source: str, finding: str) -> None:
    broken = Account("dev", "ghcr.io", "me", SecretSource.parse(source))
    accounts = Accounts([broken], lambda _: FROM_DOCKER, {"EMPTY": " ", "PATH": "/usr/bin:/bin"})
    with pytest.raises(CredentialsUnavailableError) as raised:
        accounts.find_for("ghcr.io", "app")
    assert str(raised.value) == (
        f"the option '[docker-buildkit.registries.dev].password' has {finding}"
    )


def test_a_registry_sees_each_repository_as_its_account(registry: FakeRegistry) -> None:
    registry.access = BasicAccess("team", "s3cret")
    accounts = Accounts(
        [account(name, name, registry=registry.address) for name in ("team", "rest")],
        environment={"PASSWORD": "s3cret"},
    )
    clients = RegistryClients(accounts=accounts)
    assert clients.client(registry.address, "team/app").head_manifest("team/app", "1") is None
    assert clients.client(registry.address, "team/app") is clients.client(
        registry.address, "team/lib"
    )
    with pytest.raises(UnauthorizedError, match="user 'rest'"):
        clients.client(registry.address, "rest").head_manifest("rest", "1")
    clients.close()


def test_a_password_that_cannot_be_had_is_an_error_of_the_registry(registry: FakeRegistry) -> None:
    registry.access = BasicAccess("me", "s3cret")
    clients = RegistryClients(accounts=Accounts([account("me", registry=registry.address)]))
    with pytest.raises(CredentialsError, match="the variable is not set"):
        clients.client(registry.address, "app").head_manifest("app", "1")
    clients.close()


def test_who_is_refused_reads_where_the_credentials_come_from(registry: FakeRegistry) -> None:
    registry.access = BasicAccess("me", "s3cret")
    mine = account("me", registry=registry.address)
    clients = RegistryClients(accounts=Accounts([mine], environment={"PASSWORD": "old"}))
    with pytest.raises(UnauthorizedError) as raised:
        clients.client(registry.address, "app").head_manifest("app", "1")
    clients.close()
    assert raised.value.next_step == (
        "The registry refused the credentials of user 'me'. They come from"
        " '[docker-buildkit.registries.me].password' (env=PASSWORD): correct or renew what it"
        " gives."
    )
