"""Whatever a server or a configuration says is understood, or refused with our own error."""

from __future__ import annotations

import contextlib
import json
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from pants_docker_buildkit.registry.challenge import choose_challenge, parse_challenges
from pants_docker_buildkit.registry.credentials import DockerConfig, InvalidDockerConfigError
from pants_docker_buildkit.registry.origin import InvalidUrlError, Origin, resolve_location
from pants_docker_buildkit.registry.redaction import redact

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


@given(CONFIGS)
def test_any_configuration_is_read_or_refused(document: object) -> None:
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "config.json"
        file.write_text(json.dumps(document))
        with contextlib.suppress(InvalidDockerConfigError):
            config = DockerConfig.load(file, {})
            assert config.helpers is not None


@given(st.text())
def test_redacted_text_is_one_short_line(text: str) -> None:
    redacted = redact(text)
    assert len(redacted) <= 301
    assert len(redacted.splitlines()) <= 1
