"""Whom we trust, with a server whose certificate comes from a private authority."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pants_docker_buildkit.registry.conftest import ClientFactory
from pants_docker_buildkit.registry.credentials import Credentials
from pants_docker_buildkit.registry.errors import (
    RegistryUnavailableError,
    TlsError,
    UnexpectedResponseError,
)
from pants_docker_buildkit.registry.settings import RegistrySettings
from pants_docker_buildkit.registry.testing import faults
from pants_docker_buildkit.registry.testing.access import TokenAccess
from pants_docker_buildkit.registry.testing.certificates import TestCertificates
from pants_docker_buildkit.registry.testing.fake_registry import FakeRegistry

ENCRYPTED = RegistrySettings(is_plain_http=False)


@pytest.fixture
def certificates(tmp_path: Path) -> TestCertificates:
    return TestCertificates.write(tmp_path)


@pytest.fixture
def tls_registry(certificates: TestCertificates) -> Iterator[FakeRegistry]:
    with FakeRegistry(certificates=certificates).running() as registry:
        yield registry


def test_a_private_authority_is_trusted_where_it_is_configured(
    tls_registry: FakeRegistry, certificates: TestCertificates, make_client: ClientFactory
) -> None:
    settings = RegistrySettings(ca_file=certificates.ca_file)
    client = make_client(tls_registry.address, settings=settings)
    for _ in range(3):
        assert client.head_manifest("app", "1") is None
    assert tls_registry.connections == 1


def test_an_authority_that_nobody_knows_is_not_trusted(
    tls_registry: FakeRegistry, make_client: ClientFactory
) -> None:
    client = make_client(tls_registry.address, settings=ENCRYPTED)
    with pytest.raises(TlsError, match=r"its certificate is not trusted.*configure that") as info:
        client.head_manifest("app", "1")
    assert "CA file" in str(info.value)


def test_a_file_of_the_settings_that_cannot_be_used_is_named(
    tls_registry: FakeRegistry, tmp_path: Path, make_client: ClientFactory
) -> None:
    no_certificate = tmp_path / "empty.pem"
    no_certificate.touch()
    for settings, name in (
        (RegistrySettings(ca_file="/nonexistent/ca"), "`ca_file` /nonexistent/ca"),
        (RegistrySettings(ca_file=str(no_certificate)), f"`ca_file` {no_certificate}"),
        (
            RegistrySettings(certificate_file="/nonexistent/cert", key_file=str(no_certificate)),
            f"`cert_file` /nonexistent/cert with {no_certificate}",
        ),
    ):
        with pytest.raises(TlsError, match=r"cannot be used.*Correct what") as raised:
            make_client(tls_registry.address, settings=settings).head_manifest("app", "1")
        assert f"its {name} cannot be used: " in str(raised.value)
    assert tls_registry.requests == []


def test_a_server_without_tls_is_recognised(
    registry: FakeRegistry, make_client: ClientFactory
) -> None:
    with pytest.raises(TlsError, match="if it speaks plain HTTP, configure it as insecure"):
        make_client(registry.address, settings=ENCRYPTED).head_manifest("app", "1")


def test_a_redirect_away_from_tls_is_not_followed(
    tls_registry: FakeRegistry,
    certificates: TestCertificates,
    registry: FakeRegistry,
    make_client: ClientFactory,
) -> None:
    settings = RegistrySettings(ca_file=certificates.ca_file)
    client = make_client(tls_registry.address, settings=settings)
    tls_registry.plan(faults.redirect(f"{registry.url}/v2/app/manifests/1"))
    with pytest.raises(UnexpectedResponseError, match=r"it redirects to http://.*, unencrypted"):
        client.head_manifest("app", "1")
    assert registry.requests == []


def test_credentials_are_not_sent_to_a_token_server_without_tls(
    tls_registry: FakeRegistry,
    certificates: TestCertificates,
    registry: FakeRegistry,
    make_client: ClientFactory,
) -> None:
    tls_registry.access = TokenAccess("me", "secret", realm=f"{registry.url}/token")
    settings = RegistrySettings(ca_file=certificates.ca_file)
    client = make_client(tls_registry.address, Credentials("me", "secret"), settings)
    with pytest.raises(
        RegistryUnavailableError, match=r"wants credentials sent to http://.* without encryption"
    ):
        client.head_manifest("app", "1")
    assert registry.requests == []


@pytest.mark.parametrize("is_port_named", [True, False])
def test_a_registry_that_does_not_know_of_its_own_tls_gives_tokens_over_tls(
    tls_registry: FakeRegistry,
    certificates: TestCertificates,
    make_client: ClientFactory,
    is_port_named: bool,
) -> None:
    named = tls_registry.address if is_port_named else "127.0.0.1"
    tls_registry.access = TokenAccess("me", "secret", realm=f"http://{named}/token")
    settings = RegistrySettings(ca_file=certificates.ca_file)
    client = make_client(tls_registry.address, Credentials("me", "secret"), settings)
    assert client.head_manifest("app", "1") is None
    assert len(tls_registry.access.requests) == 1
