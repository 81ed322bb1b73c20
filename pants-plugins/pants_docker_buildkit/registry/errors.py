"""What can go wrong when a registry is asked, as one tree.

    RegistryError
    ├── UnauthorizedError          401: it does not know us
    ├── DeniedError                403: it knows us and refuses
    ├── ForbiddenByRuleError       4xx: a quota, an immutable tag, a lock: nobody may
    ├── NameUnknownError           404: the repository does not exist
    ├── ManifestUnknownError       404: the repository has no such manifest
    ├── BlobUnknownError           404: the repository has no such blob
    ├── RejectedError              any other 4xx: it refuses what we sent
    ├── RegistryUnavailableError   5xx or 429 after retries, no connection, no answer in time
    ├── TlsError                   no trust between us and the server
    ├── ProxyError                 the proxy that leads to it cannot be used
    ├── ContentMismatchError       it sent other content than its digest or size says
    ├── TagTakenError              somebody else moved a tag before we did
    ├── TagNotKeptError            a tag that we moved is somewhere else
    ├── UnexpectedResponseError    it does not speak the distribution specification
    └── CredentialsError           the credentials for it could not be read

Every text says what was asked of which registry, what the answer was, and what to do next.
"""

from __future__ import annotations

from dataclasses import dataclass

from pants_docker_buildkit.registry.redaction import redact
from pants_docker_buildkit.registry.rules_of_registries import RegistryRule


@dataclass(frozen=True)
class Inquiry:
    """What is asked of a registry, in words: `action` completes "could not …"."""

    registry: str
    action: str


@dataclass(frozen=True)
class Refusal:
    """A registry's answer that is not a success.

    `code` and `message` are those of the first error in an OCI error document, if it sent one.
    """

    status: int
    code: str | None = None
    message: str | None = None

    def __str__(self) -> str:
        code = f" {redact(self.code)}" if self.code else ""
        message = f": {redact(self.message)}" if self.message else ""
        return f"HTTP {self.status}{code}{message}"


@dataclass(frozen=True)
class Identity:
    """Whom credentials stand for, in words.

    `source` is what gives them, where that is not a login of Docker's: another login would not
    change them.
    """

    name: str
    source: str | None = None


class RegistryError(Exception):
    """A registry could not be asked, or gave an answer that is of no use."""

    def __init__(self, inquiry: Inquiry, finding: str, next_step: str) -> None:
        self.registry = inquiry.registry
        self.finding = finding
        self.next_step = next_step
        super().__init__(f"Could not {inquiry.action} ({finding}). {next_step}")


class UnauthorizedError(RegistryError):
    """The registry does not know us: it got no credentials, or ones that it does not accept."""

    def __init__(
        self, inquiry: Inquiry, refusal: Refusal, identity: Identity | None = None
    ) -> None:
        self.refusal = refusal
        super().__init__(inquiry, str(refusal), self._advise(inquiry.registry, identity))

    @staticmethod
    def _advise(registry: str, identity: Identity | None) -> str:
        login = f"'docker login {registry}'"
        if identity is None:
            return f"No credentials for {registry} were found: log in with {login}."
        refused = f"The registry refused the credentials of {identity.name}"
        if identity.source is None:
            return f"{refused}: log in again with {login}."
        return f"{refused}. They come from {identity.source}: correct or renew what it gives."


class DeniedError(RegistryError):
    """The registry knows us and does not allow what was asked."""

    def __init__(
        self, inquiry: Inquiry, refusal: Refusal, identity: Identity | None = None
    ) -> None:
        self.refusal = refusal
        who = "anonymous users" if identity is None else identity.name
        other = (
            f"log in as somebody else with 'docker login {inquiry.registry}'"
            if identity is None or identity.source is None
            else f"be somebody else there: these credentials come from {identity.source}"
        )
        super().__init__(
            inquiry, str(refusal), f"Grant {who} access to the repository, or {other}."
        )


class ForbiddenByRuleError(RegistryError):
    """A rule of the registry forbids it to everybody, whatever their credentials."""

    def __init__(self, inquiry: Inquiry, refusal: Refusal, rule: RegistryRule) -> None:
        self.refusal = refusal
        self.rule = rule
        super().__init__(inquiry, str(refusal), rule.next_step)


class NameUnknownError(RegistryError):
    """The registry has no such repository."""

    def __init__(self, inquiry: Inquiry, refusal: Refusal) -> None:
        self.refusal = refusal
        next_step = "Check the name of the repository, or create it if the registry needs that."
        super().__init__(inquiry, str(refusal), next_step)


class ManifestUnknownError(RegistryError):
    """The repository has no such manifest."""

    def __init__(self, inquiry: Inquiry, refusal: Refusal) -> None:
        self.refusal = refusal
        next_step = "Check the tag or digest, or build and push the image first."
        super().__init__(inquiry, str(refusal), next_step)


class BlobUnknownError(RegistryError):
    """The repository has no such blob."""

    def __init__(self, inquiry: Inquiry, refusal: Refusal) -> None:
        self.refusal = refusal
        next_step = "The image in the registry is not whole: build and push it again."
        super().__init__(inquiry, str(refusal), next_step)


class RejectedError(RegistryError):
    """The registry understood and refuses, for example a malformed name."""

    def __init__(self, inquiry: Inquiry, refusal: Refusal) -> None:
        self.refusal = refusal
        next_step = "The registry's own log or settings say more about this refusal."
        super().__init__(inquiry, str(refusal), next_step)


class RegistryUnavailableError(RegistryError):
    """The registry did not answer, or only with errors, however often it was asked.

    Without a `refusal` there was no answer at all.
    """

    def __init__(self, inquiry: Inquiry, finding: str, refusal: Refusal | None = None) -> None:
        self.refusal = refusal
        next_step = f"Check that {inquiry.registry} is up and reachable from here, then run again."
        super().__init__(inquiry, finding, next_step)


class TlsError(RegistryError):
    """The server's certificate is not trusted, or it does not speak TLS."""

    def __init__(self, inquiry: Inquiry, finding: str) -> None:
        next_step = (
            f"If {inquiry.registry} has a certificate of a private authority, configure that "
            "authority's CA file; if it speaks plain HTTP, configure it as insecure."
        )
        super().__init__(inquiry, finding, next_step)


class ProxyError(RegistryError):
    """A variable of the environment leads to the registry through a proxy that cannot be used."""

    def __init__(self, inquiry: Inquiry, finding: str) -> None:
        next_step = f"Correct the variable, or name the host of {inquiry.registry} in NO_PROXY."
        super().__init__(inquiry, finding, next_step)


class ContentMismatchError(RegistryError):
    """The registry sent content that is not what its digest or size says. It was thrown away."""

    def __init__(self, inquiry: Inquiry, finding: str) -> None:
        next_step = (
            "The registry, or a proxy before it, is damaged or not to be trusted; "
            "nothing of the content was used."
        )
        super().__init__(inquiry, finding, next_step)


class TagTakenError(RegistryError):
    """A tag was not moved, because it is no longer where it was when this run looked at it."""

    def __init__(self, inquiry: Inquiry, before: str | None, found: str | None) -> None:
        finding = (
            f"somebody else moved it from {before} to {found} meanwhile"
            if before and found
            else f"somebody else set it to {found} meanwhile"
            if found
            else f"somebody else removed it from {before} meanwhile"
        )
        next_step = "It was left as it is: publish again to move it from there."
        super().__init__(inquiry, finding, next_step)


class TagNotKeptError(RegistryError):
    """The registry took a tag, and right afterwards says something else of it."""

    def __init__(self, inquiry: Inquiry, found: str | None) -> None:
        finding = f"it was moved, but then was at {found}" if found else "it was moved, but is gone"
        next_step = (
            "Somebody else published the same tag at the same time, or the registry does not let"
            " it move: look at what it should point to, and publish again."
        )
        super().__init__(inquiry, finding, next_step)


class UnexpectedResponseError(RegistryError):
    """The server does not answer as the distribution specification says."""

    def __init__(self, inquiry: Inquiry, finding: str) -> None:
        next_step = f"Check that {inquiry.registry} is the address of a container registry."
        super().__init__(inquiry, finding, next_step)


class CredentialsError(RegistryError):
    """The credentials for a registry could not be read, or may not be sent."""

    def __init__(self, inquiry: Inquiry, finding: str) -> None:
        next_step = f"Check where the credentials for {inquiry.registry} come from."
        super().__init__(inquiry, finding, next_step)
