"""The texts are what these registries send; `NAME` stands for what differs."""

from __future__ import annotations

import pytest

from pants_docker_buildkit.registry.errors import (
    DeniedError,
    ForbiddenByRuleError,
    Identity,
    Inquiry,
    PartsLostError,
    Refusal,
    RegistryUnavailableError,
    RejectedError,
)
from pants_docker_buildkit.registry.refusals import refusal_error
from pants_docker_buildkit.registry.rules_of_registries import RegistryRule, find_rule

INQUIRY = Inquiry("reg.io", "write reg.io/app:1")
QUOTA, TAG, LOCK = RegistryRule.QUOTA, RegistryRule.IMMUTABLE_TAG, RegistryRule.LOCK
READ_ONLY = RegistryRule.READ_ONLY


@pytest.mark.parametrize(
    ("status", "code", "message", "rule"),
    [
        pytest.param(
            403,
            "DENIED",
            "adding 2.1 MiB of storage resource, which when updated to current usage of 8.3 MiB"
            " will exceed the configured upper limit of 10.0 MiB.",
            QUOTA,
            id="Harbor, quota",
        ),
        pytest.param(
            403, "DENIED", "Quota has been exceeded on namespace", QUOTA, id="Quay, quota"
        ),
        pytest.param(
            403, "DENIED", "registry contains 1 repositories, limit is 1", QUOTA, id="DigitalOcean"
        ),
        pytest.param(
            403,
            "DENIED",
            "Your action has been rejected because the namespace storage limit has been reached.",
            QUOTA,
            id="GitLab, quota",
        ),
        pytest.param(507, None, "quota exceeded", QUOTA, id="insufficient storage"),
        pytest.param(
            400,
            "TAG_INVALID",
            "The image tag 'NAME' already exists in the 'NAME' repository and cannot be overwritten"
            " because the repository is immutable.",
            TAG,
            id="ECR, tag",
        ),
        pytest.param(400, "ImageTagAlreadyExistsException", None, TAG, id="ECR, tag by code"),
        pytest.param(
            412,
            "PRECONDITION",
            "Failed to process request due to 'NAME:NAME' configured as immutable.",
            TAG,
            id="Harbor, tag",
        ),
        pytest.param(
            400,
            "MANIFEST_INVALID",
            "cannot update tag NAME. The repository has enabled tag immutability",
            TAG,
            id="Google, tag",
        ),
        pytest.param(
            400,
            "UNKNOWN",
            "Repository does not allow updating assets: NAME",
            TAG,
            id="Nexus, tag",
        ),
        pytest.param(
            405,
            "REGISTRY_DISALLOWED_OPERATION",
            "The operation is disallowed on this registry, repository or image.",
            LOCK,
            id="Azure, lock",
        ),
        pytest.param(
            405,
            "DENIED",
            "System is currently read-only. Pulls will succeed but all write operations are"
            " currently suspended.",
            READ_ONLY,
            id="Quay, maintenance",
        ),
        pytest.param(
            403,
            "DENIED",
            "The system is in read only mode. Any modification is prohibited.",
            READ_ONLY,
            id="Harbor, maintenance",
        ),
        pytest.param(405, "UNSUPPORTED", "The operation is unsupported.", READ_ONLY, id="a mirror"),
        pytest.param(405, None, None, READ_ONLY, id="Distribution, maintenance"),
    ],
)
def test_a_rule_of_a_registry_is_told_from_a_refusal_of_us(
    status: int, code: str | None, message: str | None, rule: RegistryRule
) -> None:
    refusal = Refusal(status, code, message)
    error = refusal_error(INQUIRY, refusal, Identity("user 'me'"), writes=True)
    assert isinstance(error, ForbiddenByRuleError)
    assert error.rule is rule
    assert str(error).endswith(f"). {rule.next_step}")
    assert "log in" not in str(error)


@pytest.mark.parametrize(
    ("status", "code", "message", "kind"),
    [
        pytest.param(
            403, "DENIED", "requested access to the resource is denied", DeniedError, id="denied"
        ),
        pytest.param(
            403,
            "DENIED",
            "Permission denied on quota project NAME",
            DeniedError,
            id="Google, a project that is called so",
        ),
        pytest.param(
            429,
            "TOOMANYREQUESTS",
            "Quota exceeded for quota metric 'Requests per project per user'",
            RegistryUnavailableError,
            id="a rate, which passes",
        ),
        pytest.param(400, "MANIFEST_BLOB_UNKNOWN", "", PartsLostError, id="lost parts"),
        pytest.param(404, "MANIFEST_BLOB_UNKNOWN", "", PartsLostError, id="lost parts, not found"),
        pytest.param(400, "NAME_INVALID", "a name", RejectedError, id="something else"),
    ],
)
def test_other_refusals_are_what_they_were(
    status: int, code: str, message: str, kind: type[Exception]
) -> None:
    error = refusal_error(INQUIRY, Refusal(status, code, message), None)
    assert type(error) is kind


def test_an_answer_that_gives_no_reason_has_no_rule() -> None:
    assert find_rule("None None") is None
    assert find_rule("") is None


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (
            QUOTA,
            "There is no room left, whoever asks: delete images that nobody needs any more, or have"
            " the limit raised.",
        ),
        (
            TAG,
            "The tag may not move, whoever asks: use another one, or let it move in the registry's"
            " settings.",
        ),
        (
            LOCK,
            "The repository or the image is locked, or the registry is full, whoever asks: look at"
            " both in its settings.",
        ),
    ],
)
def test_each_rule_has_a_next_step(rule: RegistryRule, text: str) -> None:
    assert rule.next_step == text
