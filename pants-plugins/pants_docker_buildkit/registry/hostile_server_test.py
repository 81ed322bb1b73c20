"""A server that means harm gets neither our credentials nor our memory nor our time."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler

import pytest

from pants_docker_buildkit.registry.client import RegistryClient
from pants_docker_buildkit.registry.conftest import ClientFactory
from pants_docker_buildkit.registry.credentials import Credentials
from pants_docker_buildkit.registry.errors import (
    ContentMismatchError,
    DeniedError,
    RegistryError,
    RegistryUnavailableError,
    UnexpectedResponseError,
)
from pants_docker_buildkit.registry.testing import faults
from pants_docker_buildkit.registry.testing.access import TokenAccess
from pants_docker_buildkit.registry.testing.fake_registry import FakeRegistry

DIGEST = "sha256:" + "a" * 64


def raw(*parts: bytes, is_endless: bool = False) -> faults.Fault:
    """Send these bytes, the last part again and again until the client hangs up, or once."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True
        try:
            handler.wfile.write(b"".join(parts))
            while is_endless:
                handler.wfile.write(parts[-1])
        except OSError:
            pass

    return answer


OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(raw(OK, b"A: b\r\n", is_endless=True), id="headers"),
        pytest.param(raw(OK + b"A: ", b"b" * 4096, is_endless=True), id="a header"),
        pytest.param(raw(b"", b"b" * 4096, is_endless=True), id="a status line"),
        pytest.param(raw(b"", b"HTTP/1.1 100 Continue\r\n\r\n", is_endless=True), id="heads"),
        pytest.param(
            raw(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1" * 4096, is_endless=True),
            id="a chunk's size",
        ),
        pytest.param(
            raw(OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"A: b\r\n", is_endless=True),
            id="trailers",
        ),
    ],
)
def test_an_answer_of_which_a_part_has_no_end_is_given_up(
    registry: FakeRegistry, client: RegistryClient, fault: faults.Fault
) -> None:
    registry.plan(fault, times=None)
    with pytest.raises(RegistryUnavailableError):
        client.get_manifest("app", "1")


def test_an_error_without_end_is_not_read(registry: FakeRegistry, client: RegistryClient) -> None:
    def denied(handler: BaseHTTPRequestHandler) -> None:
        raw(b"HTTP/1.1 403 Forbidden\r\n\r\n", b"x" * 4096, is_endless=True)(handler)

    registry.plan(denied)
    with pytest.raises(DeniedError, match=r"\(HTTP 403\)"):
        client.get_manifest("app", "1")


@pytest.mark.parametrize(
    "size", [pytest.param("9" * 5000, id="huge"), pytest.param("-1", id="less than nothing")]
)
def test_a_size_that_none_can_have_is_found_out_by_reading(
    registry: FakeRegistry, client: RegistryClient, size: str
) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\nDocker-Content-Digest: {DIGEST}\r\n"
    kind = "Content-Type: application/vnd.oci.image.index.v1+json\r\n\r\n"
    registry.plan(raw(head.encode(), kind.encode()), times=None)
    with pytest.raises(RegistryError):
        client.head_manifest("app", DIGEST)


@pytest.mark.parametrize(
    "location",
    [
        "http://a..b/",
        "http://[::1/",
        "http://-\u00e9/",
        "http://a b/",
        "http://" + "a" * 300 + "/",
        "http://a:99999/",
        "file:///etc/passwd",
        "unix:///var/run/docker.sock",
        "gopher://a/",
    ],
)
def test_a_redirect_to_what_is_no_server_is_refused(
    registry: FakeRegistry, client: RegistryClient, location: str
) -> None:
    registry.plan(faults.redirect(location), times=None)
    with pytest.raises(UnexpectedResponseError, match="it redirects to a URL"):
        client.get_manifest("app", "1")


def test_a_token_is_asked_for_where_the_registry_says(make_client: ClientFactory) -> None:
    """As Docker does: token servers have names of their own. Never from TLS to none."""
    with FakeRegistry().running() as other, FakeRegistry().running() as registry:
        registry.access = TokenAccess("me", "secret", realm=f"{other.url}/token")
        client = make_client(registry.address, Credentials("me", "secret"))
        with pytest.raises(RegistryError):
            client.get_manifest("app", "1")
        assert len(other.requests) > 0


@pytest.mark.parametrize("lifetime", ["1" + "0" * 400, "1e400", "-1", "NaN"])
def test_a_token_for_ever_is_one_for_a_while_or_none(
    registry: FakeRegistry, make_client: ClientFactory, lifetime: str
) -> None:
    registry.access = TokenAccess("me", "secret")
    client = make_client(registry.address, Credentials("me", "secret"))
    answer = f'{{"token": "abc", "expires_in": {lifetime}}}'.encode()
    registry.plan(faults.status(200, answer), "/token", times=None)
    with pytest.raises(RegistryError):
        client.get_manifest("app", "1")


def test_credentials_that_http_cannot_send_are_not_shown(
    registry: FakeRegistry, make_client: ClientFactory
) -> None:
    registry.access = TokenAccess("me", "secret")
    client = make_client(registry.address, Credentials(registry_token="tok\r\nen"))
    with pytest.raises(RegistryUnavailableError) as raised:
        client.get_manifest("app", "1")
    assert "characters that HTTP cannot send" in str(raised.value)
    error: BaseException | None = raised.value
    while error is not None:
        assert "tok" not in str(error)
        error = error.__cause__ or error.__context__


def test_what_a_registry_says_cannot_move_the_cursor(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    message = "no\\u001b[2J\\u202e\\ud83d\\ude00\\u2028you"
    registry.plan(faults.oci_error(403, "DENIED", message))
    with pytest.raises(DeniedError) as raised:
        client.get_manifest("app", "1")
    assert "no [2J \U0001f600 you" in str(raised.value)


def test_text_that_is_half_a_character_is_no_message(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    registry.plan(faults.oci_error(403, "DENIED", "\\ud800"))
    with pytest.raises(DeniedError) as raised:
        client.get_manifest("app", "1")
    str(raised.value).encode()


def test_a_body_is_not_decompressed(registry: FakeRegistry, client: RegistryClient) -> None:
    registry.plan(faults.content(b"\x1f\x8b" + b"x" * 64, Content_Encoding="gzip"), times=None)
    with pytest.raises(ContentMismatchError, match="is other content"):
        client.get_manifest("app", DIGEST)


@pytest.mark.parametrize(
    "when",
    [
        "inf",
        "nan",
        "-1",
        "9" * 5000,
        "Mon, 01 Jan 9999999999 00:00:00 GMT",
        "Mon, 01 Jan 2026 +9 9",
    ],
)
def test_a_time_that_never_comes_is_not_waited_for(
    registry: FakeRegistry, client: RegistryClient, when: str
) -> None:
    registry.plan(faults.status(503, headers={"Retry-After": when}), times=None)
    with pytest.raises(RegistryUnavailableError):
        client.get_manifest("app", "1")
