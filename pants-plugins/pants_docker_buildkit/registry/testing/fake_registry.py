"""A registry in a thread that keeps everything in memory and can be told to misbehave.

It speaks the distribution specification strictly: a manifest needs its parts, a digest its content.
Models: pkg/registry of https://github.com/google/go-containerregistry and the simulator of
https://github.com/theupdateframework/python-tuf.
"""

from __future__ import annotations

import contextlib
import json
import re
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

from pants_docker_buildkit.oci.digest import sha256_digest
from pants_docker_buildkit.oci.media_types import MediaType
from pants_docker_buildkit.registry.testing.access import OpenAccess, TokenAccess
from pants_docker_buildkit.registry.testing.certificates import TestCertificates
from pants_docker_buildkit.registry.testing.faults import Fault
from pants_docker_buildkit.testing.http_server import answering

_MANIFEST = re.compile(r"/v2/(?P<name>.+)/manifests/(?P<reference>[^/]+)")
_BLOB = re.compile(r"/v2/(?P<name>.+)/blobs/(?P<digest>sha256:[0-9a-f]{64})")
_UPLOADS = re.compile(r"/v2/(?P<name>.+)/blobs/uploads/(?P<session>[0-9]*)")
_REFERRERS = re.compile(r"/v2/(?P<name>.+)/referrers/(?P<digest>sha256:[0-9a-f]{64})")


class Access(Protocol):
    """Whom the registry lets in."""

    def challenge(self, authorization: str | None, base_url: str) -> str | None:
        """The `WWW-Authenticate` header to refuse with; `None` lets the request in."""


@dataclass(frozen=True)
class SeenRequest:
    """A request that the registry got."""

    method: str
    target: str
    headers: Message

    @property
    def authorization(self) -> str | None:
        """The credentials it carried."""
        return self.headers.get("Authorization")


@dataclass
class _PlannedFault:
    method: str
    pattern: re.Pattern[str]
    fault: Fault
    remaining: int | None


@dataclass
class Repository:
    """The content of one repository."""

    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)


@dataclass
class FakeRegistry:
    """A registry that listens on a free port of this machine while it is `running`."""

    access: Access = field(default_factory=OpenAccess)
    certificates: TestCertificates | None = None
    supports_mount: bool = True
    supports_referrers: bool = True
    tells_digest: bool = True
    repositories: dict[str, Repository] = field(default_factory=dict)
    requests: list[SeenRequest] = field(default_factory=list)
    uploads: dict[str, bytes] = field(default_factory=dict)
    connections: int = 0
    lock: threading.RLock = field(default_factory=threading.RLock)
    _faults: list[_PlannedFault] = field(default_factory=list)
    _port: int = 0

    @contextlib.contextmanager
    def running(self) -> Iterator[FakeRegistry]:
        """Listen until the block ends."""
        handler = type("Handler", (_Handler,), {"registry": self})
        server = _Server(("127.0.0.1", 0), handler)
        self._port = server.server_address[1]
        if self.certificates:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            files = (self.certificates.certificate_file, self.certificates.key_file)
            context.load_cert_chain(*files)
            server.tls = context
        with answering(server):
            yield self

    @property
    def address(self) -> str:
        """Host and port, as image references name the registry."""
        return f"127.0.0.1:{self._port}"

    @property
    def url(self) -> str:
        """Where the registry is."""
        return f"{'https' if self.certificates else 'http'}://{self.address}"

    def repository(self, name: str) -> Repository:
        """The content of a repository, which is made if it is not there."""
        with self.lock:
            return self.repositories.setdefault(name, Repository())

    def plan(
        self, fault: Fault, target: str = "", *, method: str = "", times: int | None = 1
    ) -> None:
        """Answer with `fault` the next `times` requests (all of them with `None`) that match."""
        with self.lock:
            self._faults.append(_PlannedFault(method, re.compile(target), fault, times))

    def behave(self) -> None:
        """Forget all planned faults."""
        with self.lock:
            self._faults.clear()

    def next_fault(self, method: str, target: str) -> Fault | None:
        """The fault that is planned for a request."""
        with self.lock:
            for planned in self._faults:
                matches = planned.method in ("", method) and planned.pattern.search(target)
                if matches and planned.remaining != 0:
                    if planned.remaining is not None:
                        planned.remaining -= 1
                    return planned.fault
        return None

    def count(self, method: str, target: str = "") -> int:
        """How many requests of a method, with a target that matches, there were."""
        with self.lock:
            return sum(
                each.method == method and re.search(target, each.target) is not None
                for each in self.requests
            )


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    tls: ssl.SSLContext | None = None

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Shake hands in the connection's own thread, so that a bad client blocks nobody."""
        if self.tls:
            request = self.tls.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)
        if self.tls:
            request.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent when a client hangs up, which many tests want it to."""


class _Handler(BaseHTTPRequestHandler):
    registry: FakeRegistry
    protocol_version = "HTTP/1.1"
    # What is not HTTP, such as TLS, gets an answer with a status line, as from other servers.
    default_request_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def setup(self) -> None:
        """Count the connection."""
        with self.registry.lock:
            self.registry.connections += 1
        super().setup()

    def finish(self) -> None:
        """Close both directions also where the client is gone before our answer was flushed."""
        with contextlib.suppress(OSError):
            super().finish()
        self.rfile.close()

    def log_message(self, format: str, *args: object) -> None:
        """Keep standard error clean."""

    def do_ANY(self) -> None:
        registry = self.registry
        with registry.lock:
            registry.requests.append(SeenRequest(self.command, self.path, self.headers))
        fault = registry.next_fault(self.command, self.path)
        if fault is not None:
            fault(self)
            return
        body = self._body()
        authorization = self.headers.get("Authorization")
        if isinstance(registry.access, TokenAccess) and urlsplit(self.path).path == "/token":
            self._answer(*registry.access.issue(self.command, self.path, body, authorization))
            return
        challenge = registry.access.challenge(authorization, registry.url)
        if challenge is not None:
            self._error(401, "UNAUTHORIZED", {"WWW-Authenticate": challenge})
            return
        with registry.lock:
            self._dispatch(body)

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = do_ANY  # noqa: N815

    def _dispatch(self, body: bytes) -> None:
        path = urlsplit(self.path).path
        routes = (
            (_UPLOADS, self._serve_upload),
            (_BLOB, self._serve_blob),
            (_MANIFEST, self._serve_manifest),
            (_REFERRERS, self._serve_referrers),
        )
        for pattern, serve in routes:
            match = pattern.fullmatch(path)
            if match:
                serve(match, body)
                return
        if path == "/v2/":
            self._answer(200, b"{}")
        else:
            self._error(404, "UNSUPPORTED")

    def _serve_manifest(self, match: re.Match[str], body: bytes) -> None:
        reference = match["reference"]
        if self.command == "PUT":
            self._store_manifest(match["name"], reference, body)
            return
        repository = self.registry.repositories.get(match["name"])
        if repository is None:
            self._error(404, "NAME_UNKNOWN")
            return
        digest = repository.tags.get(reference, reference)
        if digest not in repository.manifests:
            self._error(404, "MANIFEST_UNKNOWN")
        else:
            media_type, content = repository.manifests[digest]
            told = {"Docker-Content-Digest": digest} if self.registry.tells_digest else {}
            self._answer(200, content, {"Content-Type": media_type, **told})

    def _store_manifest(self, name: str, reference: str, body: bytes) -> None:
        repository = self.registry.repository(name)
        digest = sha256_digest(body)
        document = json.loads(body)
        blobs = [document["config"], *(document["layers"] or ())] if "layers" in document else []
        if any(each["digest"] not in repository.blobs for each in blobs):
            self._error(404, "MANIFEST_BLOB_UNKNOWN")
        elif any(
            each["digest"] not in repository.manifests for each in document.get("manifests", ())
        ):
            self._error(404, "MANIFEST_UNKNOWN")
        elif reference.startswith("sha256:") and reference != digest:
            self._error(400, "DIGEST_INVALID")
        else:
            repository.manifests[digest] = (self.headers["Content-Type"], body)
            if not reference.startswith("sha256:"):
                repository.tags[reference] = digest
            headers: dict[str, str] = {"Docker-Content-Digest": digest}
            if "subject" in document and self.registry.supports_referrers:
                headers["OCI-Subject"] = document["subject"]["digest"]
            self._answer(201, b"", headers)

    def _serve_referrers(self, match: re.Match[str], body: bytes) -> None:
        if not self.registry.supports_referrers:
            self._error(404, "UNSUPPORTED")
            return
        found = []
        manifests = self.registry.repository(match["name"]).manifests
        for digest, (media_type, content) in manifests.items():
            document = json.loads(content)
            if document.get("subject", {}).get("digest") == match["digest"]:
                entry = {"mediaType": media_type, "digest": digest, "size": len(content)}
                said = {key: document[key] for key in ("artifactType", "annotations")}
                found.append({**entry, **said})
        index = {"schemaVersion": 2, "mediaType": MediaType.OCI_IMAGE_INDEX, "manifests": found}
        headers = {"Content-Type": MediaType.OCI_IMAGE_INDEX.value}
        self._answer(200, json.dumps(index).encode(), headers)

    def _serve_blob(self, match: re.Match[str], body: bytes) -> None:
        content = self.registry.repository(match["name"]).blobs.get(match["digest"])
        if content is None:
            self._error(404, "BLOB_UNKNOWN")
        else:
            self._answer(200, content, {"Docker-Content-Digest": match["digest"]})

    def _serve_upload(self, match: re.Match[str], body: bytes) -> None:
        query = parse_qs(urlsplit(self.path).query)
        name, session = match["name"], match["session"]
        if self.command == "POST":
            self._start_upload(name, query)
        elif session not in self.registry.uploads:
            self._error(404, "BLOB_UPLOAD_UNKNOWN")
        elif self.command == "DELETE":
            del self.registry.uploads[session]
            self._answer(204)
        elif self.command == "PATCH":
            self.registry.uploads[session] += body
            self._accept_upload(name, session)
        else:
            content = self.registry.uploads.pop(session) + body
            if sha256_digest(content) != query["digest"][0]:
                self._error(400, "DIGEST_INVALID")
                return
            self.registry.repository(name).blobs[query["digest"][0]] = content
            self._answer(201)

    def _start_upload(self, name: str, query: dict[str, list[str]]) -> None:
        source = query.get("from")
        if source and self.registry.supports_mount:
            digest = query["mount"][0]
            content = self.registry.repository(source[0]).blobs.get(digest)
            if content is not None:
                self.registry.repository(name).blobs[digest] = content
                self._answer(201)
                return
        session = str(len(self.registry.requests))
        self.registry.uploads[session] = b""
        self._accept_upload(name, session)

    def _accept_upload(self, name: str, session: str) -> None:
        self._answer(202, b"", {"Location": f"/v2/{name}/blobs/uploads/{session}?state=1"})

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _answer(
        self, status: int, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _error(self, status: int, code: str, headers: dict[str, str] | None = None) -> None:
        document = json.dumps({"errors": [{"code": code, "message": code.lower()}]}).encode()
        self._answer(status, document, {"Content-Type": "application/json", **(headers or {})})
