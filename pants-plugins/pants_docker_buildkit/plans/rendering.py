"""A plan for people: lines for a terminal, and Markdown for a comment on a pull request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from pants_docker_buildkit.plans.drift import LockDrift
from pants_docker_buildkit.plans.image_plan import (
    ImagePlan,
    PlanOutcome,
    TagOutcome,
    TagPlan,
    count_outcomes,
)
from pants_docker_buildkit.registry.redaction import printable
from pants_docker_buildkit.reports.rendering import duration

_SHORT_DIGEST = len("sha256:") + 12
_SHOWN_REASONS = 20
_MOST_CHARACTERS = 60_000
_TICKS = re.compile("`+")


def to_text(plans: Sequence[ImagePlan], drift: LockDrift | None = None) -> str:
    """One paragraph for each image that is not unchanged, and a last line that counts all.

    Before that one, there is a paragraph for each name that moved since it was locked.
    """
    lines: list[str] = []
    for outcome, subject, said in (*_images(plans), *_drift(drift)):
        lines.append(f"{outcome:<9} {subject}")
        lines += [f"  {each}" for each in said]
    return "\n".join((*lines, _counts(plans, drift), ""))


def to_markdown(plans: Sequence[ImagePlan], drift: LockDrift | None = None) -> str:
    """A heading with the counts, and a list with a paragraph for each image that is worth it.

    GitHub takes comments of 65,536 characters, and so what is longer is cut, and says so.
    """
    parts = [f"**Images:** {_counts(plans, drift)}\n"]
    left = _MOST_CHARACTERS - len(parts[0])
    # What moved comes first: there is little of it, and images may be many.
    shown = [_markdown(*each) for each in (*_drift(drift), *_images(plans))]
    for number, part in enumerate(shown):
        left -= len(part) + 1
        if left < 0:
            parts.append(f"- … and {len(shown) - number} more")
            break
        parts.append(part)
    return "\n".join((*parts, ""))


def count_line(plans: Iterable[ImagePlan]) -> str:
    """How many images there are of each outcome."""
    found = count_outcomes(plans)
    return ", ".join(f"{count} {outcome.value}" for outcome, count in found.items()) or "no images"


def _counts(plans: Iterable[ImagePlan], drift: LockDrift | None) -> str:
    if drift is None:
        return count_line(plans)
    return f"{count_line(plans)}; {len(drift.moved) or 'nothing'} moved since locked"


_Paragraph = tuple[str, str, list[str]]
"""A word for what is the case, what it is about, and what to say."""


def _images(plans: Iterable[ImagePlan]) -> Iterator[_Paragraph]:
    """Each image that is not unchanged, or of which there is something to say."""
    for plan in plans:
        said = list(_notes(plan))
        if said or plan.outcome is not PlanOutcome.UNCHANGED:
            yield plan.outcome.value, plan.target, said


def _drift(drift: LockDrift | None) -> Iterator[_Paragraph]:
    """What has moved, and what is not known."""
    if drift is None:
        return
    for pin in drift.moved:
        said = [f"{pin.lock} has {pin.before}, and it is {pin.after} now"]
        said += [f"read by {each}" for each in pin.targets[:_SHOWN_REASONS]]
        more = len(pin.targets) - _SHOWN_REASONS
        said += [f"and by {more} more images"] if more > 0 else []
        yield "moved", pin.name, [*said, f"'{pin.command}' brings the lock up to date"]
    for each in drift.unknown:
        finding = "what it reads could not be looked up"
        yield "error", each.target, [finding, *each.problem.strip().splitlines()]


def _notes(plan: ImagePlan) -> Iterator[str]:
    """What there is to say of an image besides its outcome."""
    if plan.problem:
        yield from plan.problem.strip().splitlines()
    yield from _reasons(plan)
    for tag in plan.tags:
        if tag.outcome is not TagOutcome.NONE:
            yield _tag(tag)
    if plan.outcome is PlanOutcome.BUILD and plan.last_build_seconds is not None:
        yield f"last build took {duration(plan.last_build_seconds)}"


def _reasons(plan: ImagePlan) -> Iterator[str]:
    for reason in plan.reasons[:_SHOWN_REASONS]:
        yield reason.text
    more = len(plan.reasons) - _SHOWN_REASONS
    if more > 0:
        yield f"and {more} more reasons"


def _tag(tag: TagPlan) -> str:
    if tag.outcome is TagOutcome.UNKNOWN:
        return f"tag {tag.name} is not known: {tag.problem}"
    if tag.outcome is TagOutcome.REFUSED:
        return f"tag {tag.name} would be refused: {tag.problem}"
    after = tag.after[:_SHORT_DIGEST] or "what is built"
    if tag.outcome is TagOutcome.CREATE:
        return f"tag {tag.name} would be created for {after}"
    verb = "may" if tag.outcome is TagOutcome.DEPENDS else "would"
    return f"tag {tag.name} {verb} move from {tag.before[:_SHORT_DIGEST]} to {after}"


def _markdown(outcome: str, subject: str, said: Iterable[str]) -> str:
    return "\n".join(
        (f"- **{outcome}** {_code(subject)}", *(f"  - {_code(each)}" for each in said))
    )


def _code(text: str) -> str:
    """Text as it is, whatever Markdown would make of it."""
    line = printable(text)
    fence = "`" * (1 + max((len(each) for each in _TICKS.findall(line)), default=0))
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{pad}{line}{pad}{fence}"
