"""`os/architecture[/variant]`: what an image runs on, in the one spelling that BuildKit prints.

Follows https://pkg.go.dev/github.com/containerd/platforms, which BuildKit and buildx use: `Parse`
and then `Normalize`. Two differences are wanted: nothing is taken from the machine we run on, so an
operating system alone is refused, and so is an architecture nobody builds for, which is a typo.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pants_docker_buildkit.oci.invalid_text import InvalidTextError

OPERATING_SYSTEMS = (
    *("aix", "android", "darwin", "dragonfly", "freebsd", "hurd", "illumos", "ios", "js", "linux"),
    *("netbsd", "openbsd", "plan9", "solaris", "wasi", "wasip1", "windows", "zos"),
)
ARCHITECTURES = (
    *("386", "amd64", "arm", "arm64", "loong64", "mips", "mips64", "mips64le", "mipsle", "ppc"),
    *("ppc64", "ppc64le", "riscv", "riscv64", "s390", "s390x", "sparc", "sparc64", "wasm"),
)

_COMPONENT = re.compile(r"[A-Za-z0-9_.-]+")
_OPERATING_SYSTEM = re.compile(r"(?P<os>[A-Za-z0-9_-]+)(?:\((?P<version>[A-Za-z0-9_.-]*)\))?")

_ARCHITECTURE_ALIASES = {
    "i386": "386",
    "x86_64": "amd64",
    "x86-64": "amd64",
    "aarch64": "arm64",
    "armhf": "arm",
    "armel": "arm",
}
_IMPLIED_VARIANTS = {"i386": "", "armhf": "v7", "armel": "v6"}
_CANONICAL_VARIANTS = {
    ("amd64", "v1"): "",
    ("arm64", "8"): "",
    ("arm64", "v8"): "",
    ("arm64", "v8.0"): "",
    ("arm64", "9"): "v9",
    ("arm64", "9.0"): "v9",
    ("arm64", "v9.0"): "v9",
    ("arm", ""): "v7",
    ("arm", "5"): "v5",
    ("arm", "6"): "v6",
    ("arm", "7"): "v7",
    ("arm", "8"): "v8",
}


class InvalidImagePlatformError(InvalidTextError):
    """Text that should be a platform is not one."""

    noun = "platform"


@dataclass(frozen=True)
class ImagePlatform:
    """What an image runs on. Equal platforms are spelled alike, whatever the user wrote.

    `linux/arm64/v8` and `linux/aarch64` are `linux/arm64`; `linux/arm` is `linux/arm/v7`.
    """

    os: str
    architecture: str
    variant: str | None = None
    os_version: str | None = None

    @classmethod
    def create(
        cls,
        os: str,
        architecture: str,
        variant: str | None = None,
        os_version: str | None = None,
    ) -> ImagePlatform:
        """The normalised platform of these parts, known or not (a manifest may say anything)."""
        alias = architecture.lower()
        normal_architecture = _ARCHITECTURE_ALIASES.get(alias, alias)
        written_variant = _IMPLIED_VARIANTS.get(alias, (variant or "").lower())
        normal_variant = _CANONICAL_VARIANTS.get(
            (normal_architecture, written_variant), written_variant
        )
        normal_os = os.lower()
        return cls(
            "darwin" if normal_os == "macos" else normal_os,
            normal_architecture,
            normal_variant or None,
            os_version or None,
        )

    @classmethod
    def parse(cls, text: str) -> ImagePlatform:
        """The platform that `text` names; with an architecture alone, Linux is meant."""
        parts = text.split("/")
        system = _OPERATING_SYSTEM.fullmatch(parts[0])
        if len(parts) > 3 or not system or not all(map(_COMPONENT.fullmatch, parts[1:])):
            requirement = "be 'os/architecture' or 'os/architecture/variant', as in 'linux/amd64'"
            raise InvalidImagePlatformError(text, requirement)
        if len(parts) == 1:
            platform = cls.create("linux", parts[0])
        else:
            variant = parts[2] if len(parts) == 3 else None
            platform = cls.create(system["os"], parts[1], variant, system["version"])
        platform._check_known(text)
        return platform

    def _check_known(self, text: str) -> None:
        if self.architecture in OPERATING_SYSTEMS and "/" not in text:
            requirement = f"name an architecture too, as in '{self.architecture}/amd64'"
            raise InvalidImagePlatformError(text, requirement)
        if self.os not in OPERATING_SYSTEMS:
            requirement = f"name one of these operating systems: {', '.join(OPERATING_SYSTEMS)}"
            raise InvalidImagePlatformError(text, requirement)
        if self.architecture not in ARCHITECTURES:
            requirement = f"name one of these architectures: {', '.join(ARCHITECTURES)}"
            raise InvalidImagePlatformError(text, requirement)

    def __str__(self) -> str:
        version = f"({self.os_version})" if self.os_version else ""
        variant = f"/{self.variant}" if self.variant else ""
        return f"{self.os}{version}/{self.architecture}{variant}"
