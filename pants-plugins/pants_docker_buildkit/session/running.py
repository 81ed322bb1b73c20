"""The session that runs: what is known to it alone, and what outlives it in this Pants process."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Optional

from pants_docker_buildkit.registry.accounts import Accounts
from pants_docker_buildkit.registry.clients import RegistryClients, RegistryMemory
from pants_docker_buildkit.registry.confirmation import ManifestConfirmations
from pants_docker_buildkit.registry.layer_check import LAYERS_DIRECTORY, LayerCheck, forget_layers
from pants_docker_buildkit.registry.manifest_reads import ManifestReads
from pants_docker_buildkit.registry.referrers import Attachments
from pants_docker_buildkit.remote.lookups import RemoteLookups
from pants_docker_buildkit.session.build_server import BuildServer
from pants_docker_buildkit.session.confirmed_images import ConfirmedImages
from pants_docker_buildkit.session.directory import (
    UnusableDirectoryError,
    complete_directory,
    is_directory_of,
    make_directory,
    scratch_directory,
)
from pants_docker_buildkit.session.full_collections import FULL_COLLECTIONS
from pants_docker_buildkit.session.heap import HeapTrimmer
from pants_docker_buildkit.session.known_files import KnownFiles
from pants_docker_buildkit.session.local_engine import LocalEngine
from pants_docker_buildkit.session.local_tags import LocalTags
from pants_docker_buildkit.session.missing_images import MissingImages
from pants_docker_buildkit.session.packaged_images import PackagedImages
from pants_docker_buildkit.session.profile import Profile
from pants_docker_buildkit.session.push_rehearsals import PushRehearsals
from pants_docker_buildkit.session.questions import SessionAnswers
from pants_docker_buildkit.session.tag_plans import TagPlans
from pants_docker_buildkit.session.unix_socket import SessionServer
from pants_docker_buildkit.session.waits import WAITS_DIRECTORY, Waits
from pants_docker_buildkit.signatures.image_signatures import ImageSignatures, SigningSettings

_VERIFIED_DIRECTORY = "signatures"
"""Where this user's sessions note which signatures they verified."""


class SessionEndedError(Exception):
    """A rule of a session that has ended asks for it, and another one runs by now."""


@dataclass(frozen=True)
class Services:
    """What a session asks. `layers` is how it looks for layers, if it does.

    `show_progress` shows its user what builds have said by now.
    """

    clients: RegistryClients
    local_engine: LocalEngine
    layers: Optional[LayerCheck] = None
    signing: SigningSettings = field(default_factory=SigningSettings)
    show_progress: Callable[[], None] = lambda: None


class RunningSession:
    """What one session knows: its answers to processes, and how it asks registries.

    No connection is opened, and no thread begun, before there is a question. While `is_plan`, no
    image is built, and no build is remembered. `reasons` are why images were built, by target,
    and `asked` when that was known, in seconds since the epoch.
    """

    def __init__(
        self,
        directory: Path,
        profile: Profile,
        environment: Mapping[str, str],
        accounts: Accounts,
        services: Services,
    ) -> None:
        self.directory = directory
        self.clients = clients = services.clients
        self.local_engine = services.local_engine
        self._planning = 0
        self._lock = threading.Lock()
        self.reasons: dict[str, str] = {}
        self.asked: dict[str, float] = {}
        self.remote = RemoteLookups(profile.reach)
        self.confirmations = ManifestConfirmations(clients.client, layers=services.layers)
        self.attachments = Attachments(clients.client)
        self.manifests = ManifestReads(clients.client, clients.memory.manifests)
        self.signatures = ImageSignatures(
            services.signing,
            environment,
            clients.client,
            directory.parent / _VERIFIED_DIRECTORY,
            partial(scratch_directory, directory),
        )
        self.local_tags = LocalTags()
        self.waits = Waits(directory / WAITS_DIRECTORY)
        self.plans = TagPlans(
            clients.client,
            clients.memory.manifests,
            partial(forget_layers, directory.parent / LAYERS_DIRECTORY),
        )
        pushes = PushRehearsals(clients.client)
        self.answers = SessionAnswers(
            profile,
            environment,
            accounts.find_for,
            self.plans,
            pushes.find_problem,
            services.show_progress,
        )

    @property
    def is_plan(self) -> bool:
        """Whether nothing may be built."""
        with self._lock:
            return self._planning > 0

    @contextmanager
    def planning(self) -> Iterator[None]:
        """For as long as the block runs, and others that are open, nothing is built."""
        with self._lock:
            self._planning += 1
        try:
            yield
        finally:
            with self._lock:
                self._planning -= 1

    def appear(self, name: str) -> None:
        """Be found by its processes. Does nothing while the directory is there.

        Raises `UnusableDirectoryError`.
        """
        if not is_directory_of(self.directory, name):
            make_directory(self.directory)
            try:
                SessionServer(self.directory, self.answers).start()
                complete_directory(self.directory, name)
            except OSError as e:
                raise UnusableDirectoryError(self.directory, e.strerror or str(e)) from e

    def close(self) -> None:
        """End its threads and connections. Waits for none of them."""
        self.plans.close()
        self.confirmations.close()
        self.attachments.close()
        self.manifests.close()
        self.signatures.close()
        self.clients.close()
        self.remote.close()
        self.local_engine.close()
        self.waits.close()


class SessionKeeper:
    """Keeps the session that runs now, of one graph of rules, and what sessions learnt before.

    A Pants process has one session after the other, and may have several graphs.
    """

    def __init__(self) -> None:
        self.builds = BuildServer()
        self.confirmed = ConfirmedImages()
        self.memory = RegistryMemory()
        self.missing = MissingImages()
        self.files = KnownFiles()
        self.packaged = PackagedImages()
        self.show_progress: Callable[[], None] = lambda: None
        self._graph = uuid.uuid4().hex
        self._lock = threading.Lock()
        self._name: str | None = None
        self._replaced: set[str] = set()
        self._running: RunningSession | None = None
        self._heap = HeapTrimmer()
        self._last_attempt = 0
        self._attempts: dict[tuple[Hashable, ...], int] = {}
        self._built: dict[tuple[str, int], int] = {}

    @property
    def running(self) -> RunningSession:
        """The session that was opened last. Raises `LookupError` before there is any."""
        with self._lock:
            if self._running is None:
                raise LookupError("no session was opened")
            return self._running

    def open(self, session: str, create: Callable[[], RunningSession]) -> None:
        """Have the session of this name, which is created once, and ends the one before.

        Raises `SessionEndedError` where another one did: Pants may run a rule again that nobody
        waits for any more, because a file has changed since.
        """
        name = f"{self._graph}-{session}"
        with self._lock:
            if name in self._replaced:
                raise SessionEndedError("another command has begun meanwhile")
            if self._running is None or self._name != name:
                self._close()
                if self._name is not None and self._name != name:
                    self._replaced.add(self._name)
                self._running, self._name = create(), name
                self._heap = HeapTrimmer()
                self._heap.start()
                FULL_COLLECTIONS.put_off()
                self._attempts.clear()
                self._built.clear()
                self.missing.begin_session()
            self._running.appear(name)

    def attempt(self, *attempt: Hashable) -> int:
        """A number, above zero, for this attempt in this session and for no other."""
        with self._lock:
            if attempt not in self._attempts:
                self._last_attempt += 1
                self._attempts[attempt] = self._last_attempt
            return self._attempts[attempt]

    def note_built(self, key: str, generation: int, attempt: int) -> None:
        """Remember that the attempt of this number has built an image in this session."""
        with self._lock:
            self._built[key, generation] = attempt

    def built_by(self, key: str, generation: int) -> int | None:
        """The number of the attempt that built it in this session, if one did."""
        with self._lock:
            return self._built.get((key, generation))

    def close(self) -> None:
        """End the session that runs."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._running is not None:
            self._running.close()
            self.builds.leave()
            FULL_COLLECTIONS.allow()
        self._running = None
        self._heap.close()
