"""What can go wrong when a registry is asked, as one tree.

    RegistryError
    ├── UnauthorizedError          401: it does not know us
    ├── DeniedError                403 or 401: it knows us and refuses
    ├── ForbiddenByRuleError       4xx: a quota, an immutable tag, a lock: nobody may
    ├── NameUnknownError           404: the repository does not exist
    ├── ManifestUnknownError       404: the repository has no such manifest
    ├── BlobUnknownError           404: the repository has no such blob
    ├── PartsLostError             400 or 404: it lacks what a manifest that we write names
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
from http import HTTPStatus

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
    `lacks_scope` tells that our token is good, but not for this, and `wait` for how many seconds
    it wants to be left alone.
    """

    status: int
    code: str | None = None
    message: str | None = None
    lacks_scope: bool = False
    wait: float = 0.0

    def __str__(self) -> str:
        code = f" {redact(self.code)}" if self.code else ""
        message = f": {redact(self.message)}" if self.message else ""
        wait = f", to be asked again in {self.wait:.0f} s" if self.wait else ""
        return f"HTTP {self.status}{code}{message}{wait}"


@dataclass(frozen=True)
class Identity:
    """Whom credentials stand for, in words.

    `source` is what gives them, where that is not a login of Docker's: another login would not
    change them.
    """

    name: str
    source: str | None = None


class RegistryError(Exception):
    """A registry could not be asked, or gave an answer that is of no use.

    `advice` is what to do about all errors of a kind, with the registry's name in braces.
    """

    advice = ""

    def __init__(self, inquiry: Inquiry, finding: str, next_step: str = "") -> None:
        self.registry = inquiry.registry
        self.finding = finding
        self.next_step = next_step or self.advice.format(registry=inquiry.registry)
        super().__init__(f"Could not {inquiry.action} ({finding}). {self.next_step}")


class _RefusalError(RegistryError):
    """The registry answered, and refused."""

    def __init__(self, inquiry: Inquiry, refusal: Refusal, next_step: str = "") -> None:
        self.refusal = refusal
        super().__init__(inquiry, str(refusal), next_step)


class UnauthorizedError(_RefusalError):
    """The registry does not know us: it got no credentials, or ones that it does not accept."""

    def __init__(
        self, inquiry: Inquiry, refusal: Refusal, identity: Identity | None = None
    ) -> None:
        super().__init__(inquiry, refusal, self._advise(inquiry.registry, identity))

    @staticmethod
    def _advise(registry: str, identity: Identity | None) -> str:
        login = f"'docker login {registry}'"
        if identity is None:
            return f"No credentials for {registry} were found: log in with {login}."
        refused = f"The registry refused the credentials of {identity.name}"
        if identity.source is None:
            return f"{refused}: log in again with {login}."
        return f"{refused}. They come from {identity.source}: correct or renew what it gives."


class DeniedError(_RefusalError):
    """The registry knows us and does not allow what was asked."""

    def __init__(
        self, inquiry: Inquiry, refusal: Refusal, identity: Identity | None = None
    ) -> None:
        who = "anonymous users" if identity is None else identity.name
        other = (
            f"log in as somebody else with 'docker login {inquiry.registry}'"
            if identity is None or identity.source is None
            else f"be somebody else there: these credentials come from {identity.source}"
        )
        super().__init__(inquiry, refusal, f"Grant {who} access to the repository, or {other}.")


class ForbiddenByRuleError(_RefusalError):
    """A rule of the registry forbids it to everybody, whatever their credentials."""

    def __init__(self, inquiry: Inquiry, refusal: Refusal, rule: RegistryRule) -> None:
        self.rule = rule
        super().__init__(inquiry, refusal, rule.next_step)


class NameUnknownError(_RefusalError):
    """The registry has no such repository."""

    advice = "Check the name of the repository, or create it if the registry needs that."


class ManifestUnknownError(_RefusalError):
    """The repository has no such manifest."""

    advice = "Check the tag or digest, or build and push the image first."


class BlobUnknownError(_RefusalError):
    """The repository has no such blob."""

    advice = "The image in the registry is not whole: build and push it again."


class PartsLostError(_RefusalError):
    """The registry does not take a manifest, because it lacks parts of the image."""

    advice = (
        "Layers or platforms of the image were removed there, though its manifest was not. Run"
        " `package` with --docker-buildkit-check-layers, which builds again what is not whole."
    )


class RejectedError(_RefusalError):
    """The registry understood and refuses, for example a malformed name."""

    advice = "The registry's own log or settings say more about this refusal."


class RegistryUnavailableError(RegistryError):
    """The registry did not answer, or only with errors, however often it was asked.

    Without a `refusal` there was no answer at all.
    """

    advice = "Check that {registry} is up and reachable from here, then run again."

    _is_limiting = "{registry} limits how often it is asked: run again later."

    def __init__(self, inquiry: Inquiry, finding: str, refusal: Refusal | None = None) -> None:
        self.refusal = refusal
        if refusal is not None and refusal.status == HTTPStatus.TOO_MANY_REQUESTS:
            self.advice = self._is_limiting
        super().__init__(inquiry, finding)


class TlsError(RegistryError):
    """The server's certificate is not trusted, or it does not speak TLS."""

    advice = (
        "If {registry} has a certificate of a private authority, configure that "
        "authority's CA file; if it speaks plain HTTP, configure it as insecure."
    )


class ProxyError(RegistryError):
    """A variable of the environment leads to the registry through a proxy that cannot be used."""

    advice = "Correct the variable, or name the host of {registry} in NO_PROXY."


class ContentMismatchError(RegistryError):
    """The registry sent content that is not what its digest or size says. It was thrown away."""

    advice = (
        "The registry, or a proxy before it, is damaged or not to be trusted; "
        "nothing of the content was used."
    )


class TagTakenError(RegistryError):
    """A tag was not moved, because it is no longer where it was when this run looked at it."""

    advice = "It was left as it is: publish again to move it from there."

    def __init__(self, inquiry: Inquiry, before: str | None, found: str | None) -> None:
        super().__init__(
            inquiry,
            f"somebody else moved it from {before} to {found} meanwhile"
            if before and found
            else f"somebody else set it to {found} meanwhile"
            if found
            else f"somebody else removed it from {before} meanwhile",
        )


class TagNotKeptError(RegistryError):
    """The registry took a tag, and right afterwards says something else of it."""

    advice = (
        "Somebody else published the same tag at the same time, or the registry does not let"
        " it move: look at what it should point to, and publish again."
    )

    def __init__(self, inquiry: Inquiry, found: str | None) -> None:
        super().__init__(
            inquiry,
            f"it was moved, but then was at {found}" if found else "it was moved, but is gone",
        )


class UnexpectedResponseError(RegistryError):
    """The server does not answer as the distribution specification says."""

    advice = "Check that {registry} is the address of a container registry."


class CredentialsError(RegistryError):
    """The credentials for a registry could not be read, or may not be sent."""

    advice = "Check where the credentials for {registry} come from."
