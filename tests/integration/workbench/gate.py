"""A gate in a step of a build: whoever gets there waits until the test opens it.

So a build is in the middle of a step for as long as a test needs, however busy the machine is.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from tests.integration.workbench.base_image import plain_docker

# By far more than any test needs: a step that nobody lets through fails.
_LOOKS = 6000

_SECONDS_UNTIL_AGAIN = 5.0


class Gate:
    """A gate in steps whose image, like `image`, has a shell. It is a mount of BuildKit's."""

    def __init__(self, image: str) -> None:
        self._image = image
        # BuildKit leaves `id` out of a step's key, so that its text needs the name as well.
        self._name = f"g{uuid.uuid4().hex[:12]}"
        self._mount = f"--mount=type=cache,id={self._name},target=/gate"
        self._times = 0

    def step(self, command: str, *flags: str, first: str = "true") -> str:
        """An instruction that runs a command once the gate is open, and another one before."""
        look = f"n=$((n+1)); [ $n -lt {_LOOKS} ] || exit 1; sleep 0.1"
        wait = f"n=0; until [ -e /gate/open ]; do {look}; done; : {self._name}"
        return " ".join(("RUN", self._mount, *flags, f"{first}; {wait}; {command}"))

    def open(self) -> None:
        """Let all through, now and later."""
        # Or BuildKit would know the step from the last time.
        self._times += 1
        step = f"RUN {self._mount} : {self._name} {self._times}; touch /gate/open"
        dockerfile = f"FROM {self._image}\n{step}\n"
        plain_docker("buildx", "build", "--output=type=cacheonly", "-", stdin=dockerfile)

    @contextmanager
    def kept_open(self) -> Iterator[None]:
        """Let all through while the block runs, also where another step was cut off just before.

        One that begins while BuildKit still ends that may have a gate of its own.
        """
        is_over = threading.Event()

        def open_again() -> None:
            while not is_over.wait(_SECONDS_UNTIL_AGAIN):
                self.open()

        self.open()
        opening = threading.Thread(target=open_again)
        opening.start()
        try:
            yield
        finally:
            is_over.set()
            opening.join()
