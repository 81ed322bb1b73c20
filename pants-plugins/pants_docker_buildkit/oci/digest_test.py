from __future__ import annotations

import pytest

from pants_docker_buildkit.oci.digest import InvalidOciDigestError, parse_oci_digest, sha256_digest

EMPTY = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_sha256_digest_names_the_content() -> None:
    assert sha256_digest(b"") == EMPTY


def test_parse_accepts_what_sha256_digest_gives() -> None:
    assert parse_oci_digest(sha256_digest(b"content")) == sha256_digest(b"content")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("sha256:", id="no hash"),
        pytest.param(EMPTY[:-1], id="too short"),
        pytest.param(EMPTY + "0", id="too long"),
        pytest.param(EMPTY.replace("e3b0", "E3B0"), id="upper case"),
        pytest.param(EMPTY.replace("sha256", "SHA256"), id="upper case algorithm"),
        pytest.param(EMPTY.replace("e3b0", "g3b0"), id="not hexadecimal"),
        pytest.param("sha512:" + "0" * 128, id="another algorithm"),
        pytest.param(EMPTY + "\n", id="trailing newline"),
        pytest.param(EMPTY[7:], id="no algorithm"),
    ],
)
def test_parse_rejects_what_is_not_a_sha256_digest(text: str) -> None:
    with pytest.raises(InvalidOciDigestError, match="64 lower-case hexadecimal characters") as info:
        parse_oci_digest(text)
    assert info.value.text == text
