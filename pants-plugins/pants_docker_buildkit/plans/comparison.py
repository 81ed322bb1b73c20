"""How do images differ from those of another plan, or of image records?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Optional

from pants_docker_buildkit.oci.json_object import InvalidJsonError, parse_json
from pants_docker_buildkit.oci.json_values import decode
from pants_docker_buildkit.plans.build_inputs import BuildInputs
from pants_docker_buildkit.plans.image_plan import SCHEMA_VERSION, ImagePlan, PlanOutcome
from pants_docker_buildkit.plans.reasons import Change, Reason, ReasonKind, find_differences

RECORD_ENDING = ".image.json"
_RECORD_SCHEMA = 1
_NEW = Reason(ReasonKind.DEFINITION, "new image", change=Change.ADDED)
_REMOVED = Reason(ReasonKind.DEFINITION, "no target any more", change=Change.REMOVED)
_UNKNOWN = Reason(ReasonKind.DEFINITION, "definition changed", change=Change.CHANGED)
_NOT_COMPARABLE = Reason(ReasonKind.DEFINITION, "not known in the other plan")
_CONTEXT = Reason(ReasonKind.FILE, "context changed", change=Change.CHANGED)


class InvalidPlanError(ValueError):
    """A file holds neither a plan nor an image record. `finding` is what is wrong with it."""

    def __init__(self, path: Path, finding: str) -> None:
        self.path = path
        self.finding = finding
        super().__init__(f"{path}: {finding}")


@dataclass(frozen=True)
class KnownImage:
    """What a plan or a record says of an image. `inputs` are in plans only."""

    build_digest: str
    context_digest: str
    inputs: Optional[BuildInputs] = None


def read_known_images(path: Path) -> Mapping[str, Optional[KnownImage]]:
    """The images of a plan, of an image record, or of all records below a directory, by target.

    An image whose plan depends on another has no value. Raises `InvalidPlanError`.
    """
    try:
        files = sorted(path.rglob(f"*{RECORD_ENDING}")) if path.is_dir() else [path]
        if not files:
            raise InvalidPlanError(path, f"it has no file that ends in {RECORD_ENDING!r}")
        found: dict[str, Optional[KnownImage]] = {}
        for file in files:
            found.update(_read(file))
    except OSError as e:
        raise InvalidPlanError(path, e.strerror or str(e)) from e
    return found


def compare(plan: ImagePlan, others: Mapping[str, Optional[KnownImage]]) -> ImagePlan:
    """The plan with how its image differs from the other one of its target as the reasons."""
    if plan.inputs is None:
        return plan
    if plan.target not in others:
        return replace(plan, reasons=(_NEW,))
    other = others[plan.target]
    return replace(plan, reasons=tuple(_differences(plan, plan.inputs, other)))


def removed(target: str) -> ImagePlan:
    """The plan of an image that only the other one has, because its target is gone."""
    return ImagePlan(target, PlanOutcome.REMOVED, (_REMOVED,))


def _differences(
    plan: ImagePlan, inputs: BuildInputs, other: KnownImage | None
) -> Iterable[Reason]:
    if other is None:
        return (_NOT_COMPARABLE,)
    if other.build_digest == inputs.build_digest:
        return ()
    if other.inputs is not None:
        return find_differences(other.inputs, inputs)
    # The Dockerfile or anything else may be another, too: digests do not tell.
    is_same = other.context_digest == plan.context_digest
    return (_UNKNOWN,) if is_same else (_CONTEXT, _UNKNOWN)


@dataclass(frozen=True)
class _Record:
    schema: int
    target: str
    build_digest: str
    context_digest: str


@dataclass(frozen=True)
class _PlannedImage:
    target: str
    context_digest: Optional[str]
    inputs: Optional[BuildInputs]


@dataclass(frozen=True)
class _Plan:
    schema: int
    images: tuple[_PlannedImage, ...]


def _read(path: Path) -> dict[str, Optional[KnownImage]]:
    try:
        document = parse_json(path.read_bytes())
        is_plan = isinstance(document, dict) and "images" in document
        _check_schema(path, document, SCHEMA_VERSION if is_plan else _RECORD_SCHEMA)
        if is_plan:
            return {each.target: _planned(each) for each in decode(_Plan, document).images}
        record = decode(_Record, document)
    except InvalidJsonError as e:
        raise InvalidPlanError(path, f"it is neither a plan nor an image record: {e}") from e
    return {record.target: KnownImage(record.build_digest, record.context_digest)}


def _check_schema(path: Path, document: object, schema: int) -> None:
    found = document.get("schema", schema) if isinstance(document, dict) else schema
    if found != schema:
        raise InvalidPlanError(path, f"its schema is {found!r}, and this version reads {schema}")


def _planned(image: _PlannedImage) -> KnownImage | None:
    inputs = image.inputs
    if inputs is None:
        return None
    return KnownImage(inputs.build_digest, image.context_digest or "", inputs)
