from __future__ import annotations

import pytest

from pants_docker_buildkit.registry.redaction import HiddenValues, redact, redact_urls


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("nothing to hide", "nothing to hide"),
        ("at https://me:s3cret@reg.io/v2/", "at https://***@reg.io/v2/"),
        ("from docker-image://busybox@sha256:12", "from docker-image://busybox@sha256:12"),
        ("get https://s3.io/x?X-Sig=s3cret&y=1 failed", "get https://s3.io/x?*** failed"),
        ("Authorization: Bearer s3cret.s3cret-s3cret=", "Authorization: Bearer ***"),
        ("header basic czNjcmV0 refused", "header basic *** refused"),
        ("two\nlines\x1b[31m and\tmore", "two lines [31m and more"),
        ("x" * 400, "x" * 300 + "…"),
    ],
)
def test_redact_leaves_no_credentials_and_one_short_line(text: str, redacted: str) -> None:
    assert redact(text) == redacted


def test_the_urls_of_a_text_lose_what_may_be_secret() -> None:
    text = 'ERROR: "https://me:s3cret@host/x?sig=s3cret": 404\n  ADD https://host/y?a=s3cret /\n'
    redacted = 'ERROR: "https://***@host/x?***": 404\n  ADD https://host/y?*** /\n'
    assert redact_urls(text) == redacted


def test_secrets_that_are_known_are_hidden_line_by_line() -> None:
    hidden = HiddenValues(["hunter2", "-----KEY\n  c2VjcmV0\nroot\n", "hunter2-long", ""])
    text = "token=hunter2-long hunter2\nc2VjcmV0 root\n"
    assert hidden.hide(text) == "token=*** ***\n*** root\n"
    assert HiddenValues().hide(text) == text
