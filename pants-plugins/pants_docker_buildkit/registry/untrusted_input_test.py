"""Whatever a server or a configuration says is understood, or refused with our own error."""

from __future__ import annotations

import contextlib
import json
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pants_docker_buildkit.oci.testing.damage import JSON_PIECES, Edit, damage
from pants_docker_buildkit.registry.challenge import choose_challenge, parse_challenges
from pants_docker_buildkit.registry.credentials import DockerConfig, InvalidDockerConfigError
from pants_docker_buildkit.registry.origin import InvalidUrlError, Origin, resolve_location
from pants_docker_buildkit.registry.redaction import redact
from pants_docker_buildkit.registry.transport import seconds_until

URLS = st.one_of(
    st.text(),
    st.from_regex(r"(https?:)?//[a-z0-9.:@\[\]%-]{0,20}[/?#a-z0-9]{0,10}", fullmatch=True),
)
CONFIGS = st.recursive(
    st.none() | st.integers() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["auths", "auth", "credsStore", "credHelpers", "ghcr.io", "a.io"]),
            inner,
            max_size=4,
        )
    ),
)


@given(st.text())
def test_any_header_gives_challenges(header: str) -> None:
    choose_challenge(parse_challenges([header]))


@given(URLS)
def test_any_location_leads_to_a_server_or_is_refused(location: str) -> None:
    with contextlib.suppress(InvalidUrlError):
        origin, target = resolve_location(Origin("https", "reg.io", 443), "/v2/", location)
        assert origin.scheme in ("http", "https")
        assert target.startswith("/")
        assert not set(" \r\n\t") & set(target)


DATES = st.lists(
    st.sampled_from(["Mon", ",", " ", "1", "Jan", "99999999999", "00:00:00", ":", "-", "GMT", "+1"])
).map("".join)


@given(st.text() | DATES)
def test_any_time_to_come_back_at_is_some_seconds_away(text: str) -> None:
    assert seconds_until(text) >= 0


@given(CONFIGS)
def test_any_configuration_is_read_or_refused(document: object) -> None:
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "config.json"
        file.write_text(json.dumps(document))
        with contextlib.suppress(InvalidDockerConfigError):
            config = DockerConfig.load(file, {})
            assert config.helpers is not None


CONFIG = {
    "auths": {"ghcr.io": {"auth": "bWU6c2VjcmV0"}, "reg.io": {"identitytoken": "t"}},
    "credHelpers": {"a.io": "ecr-login"},
    "credsStore": "",
}
EDITS = st.lists(
    st.tuples(
        st.integers(0, 6), st.integers(0, 200), st.integers(0, 20), st.sampled_from(JSON_PIECES)
    ),
    min_size=1,
    max_size=6,
)


@given(EDITS)
def test_a_configuration_that_was_damaged_is_read_or_refused(edits: list[Edit]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "config.json"
        file.write_bytes(damage(json.dumps(CONFIG).encode(), edits))
        try:
            config = DockerConfig.load(file, {})
            for name in ("ghcr.io", "reg.io", "docker.io"):
                if not config.helpers and not config.default_helper:
                    found = config.find(name)
                    assert found is None or found.identity.name.encode()
        except InvalidDockerConfigError as e:
            str(e).encode()


@pytest.mark.parametrize(
    "unit", ["http://", "https://a?", "Basic ", " ", 'a="', "a=", "://a@", "\\"]
)
def test_a_header_or_message_as_long_as_can_be_takes_no_time(unit: str) -> None:
    long = unit * (64 * 1024 // len(unit))
    started = time.process_time()
    choose_challenge(parse_challenges([long]))
    redact(long)
    assert time.process_time() - started < 2


@given(st.text())
def test_redacted_text_is_one_short_line(text: str) -> None:
    redacted = redact(text)
    assert len(redacted) <= 301
    assert len(redacted.splitlines()) <= 1
    redacted.encode()
