from __future__ import annotations

import pytest

from pants_docker_buildkit.solver.refused_value import explain_refusal

BUILD = "ERROR: failed to build: "
SOLVE = f"{BUILD}failed to solve: "


@pytest.mark.parametrize(
    ("error", "field"),
    [
        (
            'ERROR: invalid argument "lots" for "--shm-size" flag: invalid size: \'lots\'',
            "shm_size",
        ),
        (
            'ERROR: invalid argument "nofile=3:2" for "--ulimit" flag: ulimit soft limit must be'
            " less than or equal to hard limit: 3 > 2",
            "ulimits",
        ),
        (f"{BUILD}unknown entitlement foo", "entitlements"),
        (f"{BUILD}invalid host a=nope", "extra_build_hosts"),
        (
            f"{BUILD}failed to convert agent config {{foo [/k] false}}: failed to convert agent"
            ' config for ID: "foo": failed to parse /k: ssh: no key found',
            "ssh",
        ),
        (f'{BUILD}parse annotations: unknown annotation type "foo"', "image_annotations"),
        (
            f"{SOLVE}index annotations not supported for single platform export",
            "image_annotations",
        ),
        ('ERROR: invalid key-value pair "=x": empty key', "image_labels"),
        (f'{SOLVE}invalid mode "foo"', "attest"),
        (f"{SOLVE}invalid provenance SLSA version: foo", "attest"),
    ],
)
def test_the_field_that_holds_what_buildx_refused_is_named(error: str, field: str) -> None:
    assert explain_refusal(f"------\n{error}") == (
        f"Correct the value, which is in the field `{field}` of the image."
    )


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (
            "failed to convert agent config {foo [] false}: invalid empty ssh agent socket: make"
            " sure SSH_AUTH_SOCK is set",
            "Start an SSH agent, and have SSH_AUTH_SOCK name its socket: ",
        ),
        (
            "failed to convert agent config {foo [] false}: failed to convert agent config for"
            ' ID: "foo": stat /gone: no such file or directory',
            "Start an SSH agent, and have SSH_AUTH_SOCK name its socket: ",
        ),
        (
            "failed to convert agent config {foo [/k] false}: failed to convert agent config for"
            ' ID: "foo": failed to parse /k: ssh: this private key is passphrase protected',
            "Add the key to an SSH agent with 'ssh-add', and forward that instead: ",
        ),
        ('duplicate agent ID "foo"', "Name each ID once in the field `ssh` of the image. "),
        (
            "failed to solve: unset ssh forward key foo",
            "Add 'foo' to the field `ssh` of the image, which forwards the agent of SSH_AUTH_SOCK,"
            " or 'foo=KEY'.",
        ),
    ],
    ids=["no agent", "agent that is gone", "passphrase", "twice", "not forwarded"],
)
def test_what_is_to_be_done_about_agents_and_keys_is_said(error: str, advice: str) -> None:
    explained = explain_refusal(f"{BUILD}{error}") or ""
    assert explained.startswith(advice)
    assert "the field `ssh` of the image" in explained


def test_what_buildkit_takes_for_a_named_context_is_said() -> None:
    error = f"{SOLVE}unsupported context source ssh for x"
    assert "the field `build_contexts`" in (explain_refusal(error) or "")


@pytest.mark.parametrize(
    ("error", "field", "option"),
    [
        (f"{BUILD}local cache importer requires src", "cache_from", "cache_from"),
        (f'{SOLVE}unknown cache exporter: "foo"', "cache_to", "cache_to"),
        (f"{BUILD}registry cache exporter requires ref", "cache_to", "cache_to"),
        (
            f"{SOLVE}failed to configure registry cache exporter: unsupported compression type foo",
            "cache_to",
            "cache_to",
        ),
        (
            f'{SOLVE}invalid source-date-epoch: strconv.ParseInt: parsing "abc": invalid syntax',
            "extra_build_args",
            "build_args",
        ),
        (
            f"{BUILD}invalid value \"64q\" for resource memory: invalid suffix: 'q'",
            "resources",
            "resources",
        ),
        (f'{BUILD}unknown resource "pids"', "resources", "resources"),
    ],
)
def test_so_is_the_option_that_may_hold_it(error: str, field: str, option: str) -> None:
    assert explain_refusal(error) == (
        f"Correct the value, which is in the field `{field}` of the image, or in"
        f" '[docker-buildkit].{option}'."
    )


@pytest.mark.parametrize(
    "failure",
    [
        "",
        'ERROR: failed to build: failed to solve: process "/bin/sh -c false" did not complete',
        # A step says what it likes.
        f"0.1 {BUILD}invalid host a\n{SOLVE}process did not complete successfully",
        f"{BUILD}invalid host a\n{SOLVE}process did not complete successfully",
        # Of a flag that no field gives.
        'ERROR: invalid argument "x" for "--memory" flag: invalid size',
    ],
)
def test_nothing_is_said_of_other_failures(failure: str) -> None:
    assert explain_refusal(failure) is None
