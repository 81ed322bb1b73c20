from __future__ import annotations

import gc

import pytest

from pants_docker_buildkit.registry.client import Purpose
from pants_docker_buildkit.registry.conftest import ClientFactory
from pants_docker_buildkit.registry.errors import ProxyError, RegistryUnavailableError
from pants_docker_buildkit.registry.origin import parse_url
from pants_docker_buildkit.registry.proxies import InvalidProxyError, Proxies, Proxy
from pants_docker_buildkit.registry.settings import RegistrySettings
from pants_docker_buildkit.registry.testing import faults
from pants_docker_buildkit.registry.testing.fake_registry import FakeRegistry

PROXY = Proxy.parse("http://proxy.corp:3128")


def chosen(url: str, **environment: str) -> Proxy | None:
    return Proxies.from_environment(environment).proxy_for(parse_url(url)[0])


def test_the_proxy_is_that_of_the_scheme() -> None:
    environment = {"HTTP_PROXY": "http://plain:1", "https_proxy": "proxy.corp:3128"}
    assert chosen("https://ghcr.io", **environment) == PROXY
    assert chosen("http://ghcr.io", **environment) == Proxy.parse("http://plain:1")
    assert chosen("https://ghcr.io") is None


@pytest.mark.parametrize("host", ["localhost:5000", "127.0.0.1:5000", "[::1]:5000"])
def test_this_machine_is_never_reached_through_a_proxy(host: str) -> None:
    assert chosen(f"http://{host}", HTTP_PROXY="http://proxy.corp:3128") is None


@pytest.mark.parametrize(
    ("no_proxy", "url", "is_direct"),
    [
        ("*", "https://ghcr.io", True),
        ("ghcr.io", "https://ghcr.io", True),
        ("ghcr.io", "https://sub.ghcr.io", True),
        ("ghcr.io", "https://notghcr.io", False),
        (".corp", "https://registry.corp", True),
        (".corp", "https://corp", False),
        ("*.corp", "https://registry.corp", True),
        ("other.io, ghcr.io ", "https://GHCR.io", True),
        ("ghcr.io:443", "https://ghcr.io", True),
        ("ghcr.io:8443", "https://ghcr.io", False),
        ("10.0.0.0/8", "https://10.1.2.3:5000", True),
        ("10.0.0.0/8", "https://11.1.2.3", False),
        ("10.1.2.3", "https://10.1.2.3", True),
        ("fd00::/8", "https://[fd00::1]", True),
        ("[fd00::1]:443", "https://[fd00::1]", True),
        ("[fd00::1]", "https://[fd00::1]", False),
        ("fd00::1", "https://[fd00::1%25eth0]", True),
        ("fe80::/10", "https://[fe80::1%25eth0]", True),
        (".example.com", "https://[fd00::1%25.example.com]", False),
        ("example.com", "https://[fd00::1%25.example.com]", False),
        ("3.4", "https://1.2.3.4", False),
        ("10.1.2.3", "https://[::ffff:10.1.2.3]", True),
        ("10.0.0.0/255.0.0.0", "https://10.1.2.3", False),
        (":443", "https://ghcr.io", False),
        ("ghcr.io:", "https://ghcr.io:8443", True),
        (",", "https://ghcr.io", False),
    ],
)
def test_no_proxy_names_what_is_reached_directly(
    no_proxy: str,
    url: str,
    is_direct: bool,
) -> None:
    proxy = chosen(url, HTTPS_PROXY="http://proxy.corp:3128", NO_PROXY=no_proxy)
    assert proxy == (None if is_direct else PROXY)


@pytest.mark.parametrize(
    ("value", "finding"),
    [
        ("socks5://me:s3cret@proxy.corp:1080", "it has a SOCKS proxy"),
        ("ftp://me:s3cret@proxy.corp", "it has a URL that is neither http nor https"),
        ("http://me:s3cret@proxy.corp:port", "it has a URL that is malformed"),
        ("http://me:s3#cret@proxy.corp", "it has a URL that is malformed"),
        ("http://[proxy", "it has a URL that is malformed"),
        ("http://", "it has a URL that is neither http nor https"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_an_error_only_where_it_would_be(
    value: str, finding: str
) -> None:
    with pytest.raises(InvalidProxyError, match=f"the variable https_proxy .* {finding}") as info:
        chosen("https://ghcr.io", https_proxy=value)
    assert "cret" not in str(info.value)
    assert chosen("http://ghcr.io", https_proxy=value) is None
    assert chosen("https://localhost", https_proxy=value) is None
    assert chosen("https://ghcr.io", https_proxy=value, NO_PROXY="ghcr.io") is None


def test_a_registry_behind_such_a_proxy_is_not_asked_again_and_again(
    make_client: ClientFactory,
) -> None:
    client = make_client("registry.invalid", environment={"HTTPS_PROXY": "socks5://proxy:1080"})
    with pytest.raises(ProxyError, match="Correct the variable, or name the host of registry"):
        client.head_manifest("app", "1")


def test_a_repr_of_a_proxy_shows_no_credentials() -> None:
    proxy = Proxy.parse("http://me:p%40ss@proxy.corp:3128")
    assert proxy.authorization == "Basic bWU6cEBzcw=="
    assert "bWU6" not in repr(proxy)
    assert "p%40ss" not in repr(proxy)


def test_plain_http_goes_through_the_proxy_with_its_credentials(
    registry: FakeRegistry, make_client: ClientFactory
) -> None:
    """The fake registry plays the proxy: it sees the whole URL and our credentials for it."""
    registry.plan(faults.oci_error(404, "NAME_UNKNOWN"))
    proxy = f"http://me:secret@{registry.address}"
    plain = RegistrySettings(is_plain_http=True)
    client = make_client("registry.invalid:80", settings=plain, environment={"HTTP_PROXY": proxy})
    assert client.head_manifest("app", "1", Purpose.WRITE) is None
    (request,) = registry.requests
    assert request.target == "http://registry.invalid/v2/app/manifests/1"
    assert request.headers["Host"] == "registry.invalid"
    assert request.headers["Proxy-Authorization"] == "Basic bWU6c2VjcmV0"


# Python 3.9 forgets to close the answer of a proxy that refuses a tunnel.
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_tunnel_is_asked_for_where_tls_is_spoken(
    registry: FakeRegistry, make_client: ClientFactory
) -> None:
    environment = {"HTTPS_PROXY": f"http://me:secret@{registry.address}"}
    client = make_client("registry.invalid", environment=environment)
    with pytest.raises(RegistryUnavailableError, match="Tunnel connection failed: 501") as info:
        client.head_manifest("app", "1")
    assert "secret" not in str(info.value)
    del info
    gc.collect()
