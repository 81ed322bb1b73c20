"""Why has an image to be built: what is different from what it was built from before?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import Enum
from itertools import groupby
from types import MappingProxyType
from typing import Any

from pants_docker_buildkit.oci.listing import list_few
from pants_docker_buildkit.plans.build_inputs import BuildInputs, as_pinned
from pants_docker_buildkit.registry.redaction import printable
from pants_docker_buildkit.solver.definition import IMAGE_SCHEME

_FIELDS = MappingProxyType(
    {
        "context_paths": "context_inputs",
        "secret_ids": "secrets",
        "ssh_ids": "ssh",
        "network": "build_network",
        "extra_hosts": "extra_build_hosts",
        "build_platforms": "build_platform",
        "platform_of_base": "platform of the base image",
        "attestations": "attest",
    }
)
"""What people know members of a definition as that are called otherwise there."""

_COPIED = "context_paths"
_SHOWN = 2
_SHORT_DIGEST = len("sha256:") + 12


class ReasonKind(str, Enum):
    """What it is that is different."""

    FILE = "file"
    DOCKERFILE = "dockerfile"
    BASE = "base"
    BUILD_ARGUMENT = "build-argument"
    NAMED_CONTEXT = "named-context"
    PLATFORM = "platform"
    DEFINITION = "definition"
    LOST_RECORD = "lost-record"
    LOST_IMAGE = "lost-image"
    NO_MEMORY = "no-memory"
    DEPENDENCY = "dependency"
    BUILDER_PLATFORM = "builder-platform"


class Change(str, Enum):
    """What became of it. A name moves that stands for another image."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"
    MOVED = "moved"
    NONE = "none"


@dataclass(frozen=True)
class Reason:
    """One reason. `text` says all of it to people, in one line, and needs nothing around it.

    `subject` is what is different: a path, a line or lines of the Dockerfile, an image, a name.
    `before` and `after` are digests and other values that may be shown; empty where there is none.
    """

    kind: ReasonKind
    text: str
    subject: str = ""
    change: Change = Change.NONE
    before: str = ""
    after: str = ""

    def __post_init__(self) -> None:
        # Files may have any name, also one that moves the cursor of a terminal.
        object.__setattr__(self, "text", printable(self.text))

    def to_document(self) -> dict[str, Any]:
        """In terms of JSON."""
        return {
            "kind": self.kind.value,
            "subject": self.subject,
            "change": self.change.value,
            "from": self.before or None,
            "to": self.after or None,
            "text": self.text,
        }


NO_MEMORY = Reason(ReasonKind.NO_MEMORY, "no build is remembered on this machine")
LOST_RECORD = Reason(ReasonKind.LOST_RECORD, "no cached record")
_UNKNOWN = Reason(ReasonKind.DEFINITION, "definition changed", change=Change.CHANGED)


def lost_image(reference: str) -> Reason:
    """That a registry or engine no longer has an image."""
    name, _, digest = reference.partition("@")
    return Reason(ReasonKind.LOST_IMAGE, f"lost in {name}", name, Change.REMOVED, before=digest)


def explain_build(past: BuildInputs | None, now: BuildInputs) -> tuple[Reason, ...]:
    """Why `now` has to be built; at least one reason."""
    if past is None:
        return (NO_MEMORY,)
    if past.build_digest == now.build_digest:
        return (LOST_RECORD,)
    return find_differences(past, now)


def find_differences(past: BuildInputs, now: BuildInputs) -> tuple[Reason, ...]:
    """How the inputs of two builds with different digests differ; at least one reason."""
    try:
        found = list(_differences(past, now))
        return tuple(dict.fromkeys(found or _followers(past, now))) or (_UNKNOWN,)
    except (LookupError, TypeError, AttributeError):
        # Another version of the plugin wrote this, or nobody did.
        return (_UNKNOWN,)


def reason_line(reasons: Iterable[Reason]) -> str:
    """The reasons in one line: of many files or lines only the first."""
    shown = []
    for (kind, *_), group in groupby(reasons, lambda each: (each.kind,)):
        texts = [each.text for each in group]
        may_be_many = kind in (ReasonKind.FILE, ReasonKind.DOCKERFILE)
        shown.append(list_few(texts, _SHOWN if may_be_many else len(texts)))
    return ", ".join(shown)


def _differences(past: BuildInputs, now: BuildInputs) -> Iterator[Reason]:
    for key in sorted(now.members):
        before, after = past.members.get(key), now.members[key]
        if before == after or key == _COPIED:
            continue
        if key == "dockerfile":
            yield from _lines(past.lines, now.lines)
        elif key == "context":
            yield from _files(past, now)
        elif key == "sources":
            yield from _moved_sources(before or {}, after)
        elif key in ("build_args", "labels", "annotations", "secret_hashes", "named_contexts"):
            yield from _named(key, before, after)
        else:
            yield _changed(key, before, after)


def _changed(key: str, before: Any, after: Any) -> Reason:
    kind = ReasonKind.PLATFORM if key == "platforms" else ReasonKind.DEFINITION
    text = f"{_FIELDS.get(key, key)} changed"
    return Reason(kind, text, key, Change.CHANGED, _shown(before), _shown(after))


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(value) if all(isinstance(each, str) for each in value) else ""
    return value if isinstance(value, str) else ""


def _how(before: object, after: object) -> Change:
    if before is None:
        return Change.ADDED
    return Change.REMOVED if after is None else Change.CHANGED


def _lines(before: Sequence[str], after: Sequence[str]) -> Iterator[Reason]:
    """The changed lines of the Dockerfile, numbered as they are now."""
    if not before or not after:
        yield Reason(ReasonKind.DOCKERFILE, "Dockerfile changed", change=Change.CHANGED)
        return
    changes = {"insert": Change.ADDED, "delete": Change.REMOVED, "replace": Change.CHANGED}
    # What a long Dockerfile has often, as blank lines, is no anchor: it would take half a minute.
    matcher = SequenceMatcher(None, before, after)
    found = [each for each in matcher.get_opcodes() if each[0] in changes]
    for tag, old_start, old_end, start, end in found:
        change = changes[tag]
        is_gone = change is Change.REMOVED
        lines = _numbers(old_start, old_end) if is_gone else _numbers(start, end)
        noun = "lines" if "-" in lines else "line"
        where = (
            f"{noun} {lines} of the former Dockerfile" if is_gone else f"Dockerfile {noun} {lines}"
        )
        subject = f"Dockerfile:{lines}"
        yield Reason(ReasonKind.DOCKERFILE, f"{where} {change.value}", subject, change)
    if not found:
        # The end of a line is another.
        yield Reason(ReasonKind.DOCKERFILE, "Dockerfile changed", change=Change.CHANGED)


def _numbers(start: int, end: int) -> str:
    return str(end) if end == start + 1 else f"{start + 1}-{end}"


def _files(past: BuildInputs, now: BuildInputs) -> Iterator[Reason]:
    if past.files == now.files:
        if past.members.get("dockerfile") == now.members.get("dockerfile"):
            yield Reason(ReasonKind.FILE, "context changed", change=Change.CHANGED)
        # Else the Dockerfile in it is another, and nothing else.
        return
    if not past.files or not now.files:
        yield Reason(ReasonKind.FILE, "context changed", change=Change.CHANGED)
        return
    for path in sorted({*past.files, *now.files}):
        before, after = past.files.get(path), now.files.get(path)
        if before == after:
            continue
        change = _how(before, after)
        is_mode = None not in (before, after) and str(before).strip("x") == str(after).strip("x")
        detail = " its executable bit" if is_mode else ""
        yield Reason(ReasonKind.FILE, f"{path} {change.value}{detail}", path, change)


def _moved_sources(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Reason]:
    """What stands for something else. Others come and go with the text that names them."""
    for identifier in sorted(after):
        if identifier in before and before[identifier] != after[identifier]:
            pins = (_pin(before[identifier]), _pin(after[identifier]))
            yield _moved(ReasonKind.BASE, identifier.removeprefix(IMAGE_SCHEME), *pins)


def _followers(past: BuildInputs, now: BuildInputs) -> Iterator[Reason]:
    """What follows from the text or a field, and is a reason only where nothing else is one."""
    copied = past.members.get(_COPIED), now.members.get(_COPIED)
    if copied[0] != copied[1]:
        yield _changed(_COPIED, *copied)
    before, after = past.members.get("sources") or {}, now.members.get("sources") or {}
    for identifier in sorted({*before, *after}):
        if (identifier in before) != (identifier in after):
            name = identifier.removeprefix(IMAGE_SCHEME)
            change = _how(before.get(identifier), after.get(identifier))
            yield Reason(ReasonKind.BASE, f"{name} {change.value}", name, change)


def _pin(source: str) -> str:
    """The digest, checksum or commit that a source is pinned to."""
    pinned = source.rpartition(" ")[0]
    if "#" in pinned:
        return pinned.rpartition("#")[2].partition(":")[0]
    return pinned.rpartition("@")[2]


def _moved(kind: ReasonKind, subject: str, before: str, after: str) -> Reason:
    if before == after:
        return Reason(kind, f"{subject} changed", subject, Change.CHANGED)
    text = f"{subject} moved from {before[:_SHORT_DIGEST]} to {after[:_SHORT_DIGEST]}"
    return Reason(kind, text, subject, Change.MOVED, before, after)


def _named(
    key: str, before: Mapping[str, str] | None, after: Mapping[str, str]
) -> Iterator[Reason]:
    kinds = {
        "build_args": ReasonKind.BUILD_ARGUMENT,
        "named_contexts": ReasonKind.NAMED_CONTEXT,
    }
    nouns = {
        "build_args": "build arg ",
        "named_contexts": "",
        "labels": "label ",
        "annotations": "annotation ",
        "secret_hashes": "secret ",
    }
    known = before or {}
    for name in sorted({*known, *after}):
        old, new = known.get(name), after.get(name)
        if old == new:
            continue
        kind = kinds.get(key, ReasonKind.DEFINITION)
        old_name, old_digest = _image(old)
        new_name, new_digest = _image(new)
        if not (old_digest and new_digest and old_name == new_name):
            change = _how(old, new)
            yield Reason(kind, f"{nouns[key]}{name} {change.value}", name, change)
        elif key == "build_args":
            yield _moved(ReasonKind.BASE, new_name, old_digest, new_digest)
        else:
            yield _moved(kind, name, old_digest, new_digest)


def _image(value: str | None) -> tuple[str, str]:
    """The name and digest of an image that a value stands for; empty where it stands for none."""
    text = (value or "").rpartition(" ")[2]
    name, _, digest = text.rpartition("@")
    is_image = digest.startswith("sha256:") and (not name or as_pinned(text) is not None)
    return (name, digest) if is_image else ("", "")
