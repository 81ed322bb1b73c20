"""Which value does a variable have, before the first `FROM` and inside of a stage?

The counterpart of `defaultArgs`, `buildMetaArgs` and `dispatchArg` in BuildKit's `dockerfile2llb`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pants_docker_buildkit.dockerfile.analysis import Argument
from pants_docker_buildkit.dockerfile.expansion import (
    Expansion,
    ExpansionError,
    ExpansionRules,
    expand,
    is_literal,
)
from pants_docker_buildkit.dockerfile.instruction import Instruction
from pants_docker_buildkit.oci.image_config import DEFAULT_PATH
from pants_docker_buildkit.oci.image_platform import ImagePlatform

_UNKNOWN = "depends on a variable whose value is not known here"

_PROXY_ARGUMENTS = frozenset({"http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy"})

BUILD_PLATFORM_ARGUMENTS = (
    "BUILDPLATFORM",
    "BUILDOS",
    "BUILDOSVERSION",
    "BUILDARCH",
    "BUILDVARIANT",
)
"""The variables that say which platform the builder has."""

_PREDEFINED_ARGUMENTS = frozenset(
    {
        *BUILD_PLATFORM_ARGUMENTS,
        *("TARGETPLATFORM", "TARGETOS", "TARGETOSVERSION", "TARGETARCH", "TARGETVARIANT"),
        *("TARGETSTAGE", "SOURCE_DATE_EPOCH"),
    }
)
_OWN_PREFIX = "BUILDKIT_"
"""Of names that BuildKit has for itself. Each version may have more of them."""


def is_predefined(name: str) -> bool:
    """Whether the build argument `name` means something to BuildKit although no `ARG` declares it.

    Those for proxies are known in upper, lower and mixed case.
    """
    if name in _PREDEFINED_ARGUMENTS or name.startswith(_OWN_PREFIX):
        return True
    return name.lower() in _PROXY_ARGUMENTS


def build_platform_values(platform: ImagePlatform) -> dict[str, str]:
    """What `BUILD_PLATFORM_ARGUMENTS` are on a builder of this platform."""
    name = str(platform).replace(f"({platform.os_version})", "")
    parts = (platform.os, platform.os_version, platform.architecture, platform.variant)
    return dict(zip(BUILD_PLATFORM_ARGUMENTS, (name, *(part or "" for part in parts))))


def platform_values(
    build_platform: ImagePlatform, target_platform: ImagePlatform, target_stage: str
) -> dict[str, str]:
    """The variables that BuildKit defines before the first line."""
    return {
        **build_platform_values(build_platform),
        "TARGETPLATFORM": str(target_platform),
        "TARGETOS": target_platform.os,
        "TARGETOSVERSION": target_platform.os_version or "",
        "TARGETARCH": target_platform.architecture,
        "TARGETVARIANT": target_platform.variant or "",
        "TARGETSTAGE": target_stage or "default",
    }


@dataclass
class GlobalScope:
    """The variables that a `FROM` sees. Filled by `declare` while the file is read.

    `builder_names` says of a variable which of `BUILD_PLATFORM_ARGUMENTS` its value is made of.
    """

    values: dict[str, str]
    build_args: Mapping[str, str]
    rules: ExpansionRules
    arguments: list[Argument] = field(default_factory=list)
    builder_names: dict[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def create(
        cls, predefined: Mapping[str, str], build_args: Mapping[str, str], rules: ExpansionRules
    ) -> GlobalScope:
        """The scope before the first line; build arguments may override what is predefined."""
        values = {name: build_args.get(name, value) for name, value in predefined.items()}
        of_builder = {
            name: frozenset({name}) for name in BUILD_PLATFORM_ARGUMENTS if name not in build_args
        }
        return cls(values, build_args, rules, builder_names=of_builder)

    def declare(self, instruction: Instruction) -> None:
        """Take the variables of an `ARG` before the first `FROM`."""
        for text in instruction.arguments:
            name, default = split_argument(text)
            value, uses = self._value(name, default)
            if value is not None:
                self.values[name] = value
            if name in self.build_args or default is not None:
                self.builder_names[name] = self.names_of_builder(uses)
            self.arguments.append(
                Argument(name, instruction.start_line, default, value, tuple(sorted(uses)))
            )

    def _value(self, name: str, default: str | None) -> tuple[str | None, frozenset[str]]:
        if name in self.build_args:
            return self.build_args[name], frozenset()
        if default is None:
            return None, frozenset()
        try:
            expansion = self.expand(default)
        except ExpansionError:
            # BuildKit refuses the file, or it is what uses the variable that is not understood.
            return None, frozenset()
        return expansion.text, expansion.matched

    def expand(self, text: str) -> Expansion:
        """`text` with the variables of this scope; may raise an `ExpansionError`."""
        return expand(text, self.values.get, self.rules)

    def names_of_builder(self, names: Iterable[str]) -> frozenset[str]:
        """Which of `BUILD_PLATFORM_ARGUMENTS` the values of these variables are made of."""
        found = (self.builder_names.get(name, frozenset()) for name in names)
        return frozenset().union(*found)


def split_argument(text: str) -> tuple[str, str | None]:
    """Name and default of one word of an `ARG`."""
    name, equals, default = text.partition("=")
    return name, default if equals else None


@dataclass(frozen=True)
class StageExpansion:
    """A word after expansion in a stage; `None` where it is not known, and `why` says why."""

    text: str | None
    why: str = ""


@dataclass
class StageScope:
    """The variables of a stage: its environment, with its `ARG`s among them.

    A value of `None` is set, but not known. Where `is_open`, the base image may have set others.
    """

    values: dict[str, str | None]
    is_open: bool

    @classmethod
    def of_scratch(cls) -> StageScope:
        """The scope of a stage without base image."""
        return cls({"PATH": DEFAULT_PATH}, is_open=False)

    @classmethod
    def of_image(cls) -> StageScope:
        """The scope of a stage whose base image is not known."""
        return cls({}, is_open=True)

    def copy(self) -> StageScope:
        """The scope that a stage based on this one begins with."""
        return StageScope(dict(self.values), self.is_open)

    def expand(self, text: str, rules: ExpansionRules) -> StageExpansion:
        """`text` with the variables of this stage."""
        if is_literal(text, rules):
            return StageExpansion(text)
        is_unknown = False

        def look_up(name: str) -> str | None:
            nonlocal is_unknown
            value = self.values.get(name)
            if value is None and (self.is_open or name in self.values):
                is_unknown = True
            return value

        try:
            expansion = expand(text, look_up, rules)
        except ExpansionError as e:
            return StageExpansion(None, why=_UNKNOWN if is_unknown else f"must {e.requirement}")
        return StageExpansion(None, _UNKNOWN) if is_unknown else StageExpansion(expansion.text)

    def declare(
        self, instruction: Instruction, globals_: GlobalScope, rules: ExpansionRules
    ) -> tuple[Argument, ...]:
        """Take the variables of an `ARG` in the stage, one after the other."""
        return tuple(
            self._declare(text, instruction.start_line, globals_, rules)
            for text in instruction.arguments
        )

    def _declare(
        self, text: str, line: int, globals_: GlobalScope, rules: ExpansionRules
    ) -> Argument:
        name, default = split_argument(text)
        if name in globals_.build_args:
            self.values[name] = globals_.build_args[name]
        elif default is not None:
            self.values[name] = self.expand(default, rules).text
        elif name in globals_.values:
            self.values[name] = globals_.values[name]
            of_builder = globals_.names_of_builder([name])
            return Argument(name, line, None, self.values[name], builder_arguments=of_builder)
        else:
            return Argument(name, line, None, None)
        return Argument(name, line, default, self.values[name])
