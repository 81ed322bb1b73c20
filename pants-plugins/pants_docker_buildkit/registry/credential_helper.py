"""Ask a credential helper, one of Docker's `docker-credential-…` programs.

https://github.com/docker/docker-credential-helpers#development
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from pants_docker_buildkit.oci.json_object import InvalidJsonError, JsonObject
from pants_docker_buildkit.registry.program_output import Limits, ProgramError, run_program
from pants_docker_buildkit.registry.redaction import redact

_NAME = re.compile(r"[A-Za-z0-9._-]+")
_NOT_FOUND = "credentials not found in native keychain"
_TIMEOUT_SECONDS = 60.0


class CredentialsUnavailableError(Exception):
    """Credentials cannot be read from where they are said to be. The text has no secret."""


class CredentialHelperError(CredentialsUnavailableError):
    """A credential helper is missing, failed, or gave what is no answer."""

    def __init__(self, program: str, finding: str) -> None:
        super().__init__(f"the credential helper '{program}' {finding}")


def ask_credential_helper(
    name: str, environment: Mapping[str, str], server: str
) -> tuple[str, str] | None:
    """User name and secret for `server`; `None` if the helper of this name has none.

    It is found, and run, in the user's `environment`. Raises `CredentialHelperError`.
    """
    program = f"docker-credential-{name}"
    if not _NAME.fullmatch(name):
        raise CredentialHelperError(program, "has a name that no program has")
    try:
        limits = Limits(_TIMEOUT_SECONDS)
        done = run_program((program, "get"), environment, limits, server.encode())
    except ProgramError as e:
        raise CredentialHelperError(program, e.finding) from e
    output = done.printed.decode(errors="replace").strip()
    if done.exit_code != 0:
        if _NOT_FOUND in output:
            return None
        # Standard output is not repeated: what a broken helper prints there may be a secret.
        said = done.complaint.decode(errors="replace").strip().splitlines()
        reason = f": {redact(said[0])}" if said else ""
        raise CredentialHelperError(program, f"failed with exit code {done.exit_code}{reason}")
    try:
        answer = JsonObject.parse_as_go(output.encode(), ("Username", "Secret"))
        username, secret = answer.text("Username"), answer.text("Secret")
    except InvalidJsonError as e:
        raise CredentialHelperError(program, "gave no 'Username' and 'Secret' in JSON") from e
    # BuildKit shows registries no user without a password.
    return (username, secret) if username and secret else None
