"""Which field holds a value that buildx or BuildKit refuses, before any step runs?

They name a flag, or nothing, while a user writes fields and options. Only the error that a build
ends with is looked at: steps print what they like.
"""

from __future__ import annotations

import re

from pants_docker_buildkit.solver.failure import final_error

_BEGINNING = re.compile(r"(?:failed to build: )?(?:failed to solve: )?")
_FLAG = re.compile(r'invalid argument ".*" for "--(?P<flag>[a-z-]+)" flag: ')

_FLAGS = {"shm-size": "shm_size", "ulimit": "ulimits"}

# What has a next step of its own, where the value alone says too little.
_ADVICE = (
    (
        r"failed to convert agent config \{\S* \[\] ",
        "Start an SSH agent, and have SSH_AUTH_SOCK name its socket: the field `ssh` of the image"
        " forwards it.",
    ),
    (
        r"failed to convert agent config .*: this private key is passphrase protected",
        "Add the key to an SSH agent with 'ssh-add', and forward that instead: an ID alone in the"
        " field `ssh` of the image forwards the agent of SSH_AUTH_SOCK.",
    ),
    (
        r"duplicate agent ID ",
        "Name each ID once in the field `ssh` of the image. Several keys of one ID are written as"
        " 'ID=KEY,KEY'.",
    ),
    (
        r"unsupported context source ",
        "Have the field `build_contexts` name a repository as 'https://….git', 'git://…' or"
        " 'git@HOST:PATH': BuildKit takes no other there.",
    ),
    (
        r"unset ssh forward key (?P<id>\S+)",
        "Add '{id}' to the field `ssh` of the image, which forwards the agent of SSH_AUTH_SOCK, or"
        " '{id}=KEY'.",
    ),
)

# Words of buildx 0.29 and 0.36 (`build/opt.go`, `build/utils.go`, `util/buildflags`) and BuildKit
# 0.25 and 0.32 (`control`, `frontend/attestations`), and whose value each is about.
_FINDINGS = (
    (r"unknown entitlement ", "entitlements"),
    (r'(?:invalid value ".*" for resource |unknown resource ")', "resources"),
    (r"invalid host ", "extra_build_hosts"),
    (r"failed to convert agent config ", "ssh"),
    (r"parse annotations: ", "image_annotations"),
    (r"index annotations not supported", "image_annotations"),
    # Build arguments have names, which an `ARG` declares.
    (r'invalid key-value pair "=.*": empty key', "image_labels"),
    (r"(?:\w+ cache importer requires|failed to configure \w+ cache importer)", "cache_from"),
    (
        r"(?:unknown cache exporter|duplicate cache exports|\w+ cache exporter requires"
        r"|failed to configure \w+ cache exporter)",
        "cache_to",
    ),
    (
        r'(?:unknown attestation type|invalid mode "|invalid provenance SLSA version'
        r"|failed to parse sbom generator)",
        "attest",
    ),
    (r"(?:invalid source-date-epoch|failed to parse build-arg:)", "extra_build_args"),
)
_OPTIONS = {
    "cache_from": "cache_from",
    "cache_to": "cache_to",
    "extra_build_args": "build_args",
    "resources": "resources",
}


def explain_refusal(failure: str) -> str | None:
    """What to correct where a build ended because of a value, given what it ended with."""
    finding = _BEGINNING.sub("", final_error(failure.split("\n")), count=1)
    for words, advice in _ADVICE:
        found = re.match(words, finding)
        if found:
            return advice.format(**found.groupdict())
    field = _refused_field(finding)
    if field is None:
        return None
    option = _OPTIONS.get(field)
    or_else = f", or in '[docker-buildkit].{option}'" if option else ""
    return f"Correct the value, which is in the field `{field}` of the image{or_else}."


def _refused_field(finding: str) -> str | None:
    flag = _FLAG.match(finding)
    if flag:
        return _FLAGS.get(flag["flag"])
    return next((field for words, field in _FINDINGS if re.match(words, finding)), None)
