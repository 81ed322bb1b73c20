from __future__ import annotations

from pants_docker_buildkit.plans.image_plan import ImagePlan, PlanOutcome, TagOutcome, TagPlan
from pants_docker_buildkit.plans.reasons import Reason, ReasonKind
from pants_docker_buildkit.plans.rendering import to_markdown, to_text

ONE, TWO = (f"sha256:{digit * 64}" for digit in "12")


def changed(*paths: str) -> tuple[Reason, ...]:
    return tuple(Reason(ReasonKind.FILE, f"{path} changed", path) for path in paths)


PLANS = (
    ImagePlan("a:a", PlanOutcome.UNCHANGED, tags=(TagPlan("r/a:1", TagOutcome.NONE, ONE, ONE),)),
    ImagePlan(
        "b:b",
        PlanOutcome.BUILD,
        changed("x.txt"),
        tags=(
            TagPlan("r/b:1", TagOutcome.MOVE, ONE),
            TagPlan("r/b:2", TagOutcome.CREATE),
            TagPlan("r/b:3", TagOutcome.UNKNOWN, problem="No answer."),
            TagPlan("r/b:4", TagOutcome.REFUSED, problem="Two have it."),
        ),
        last_build_seconds=72.4,
    ),
    ImagePlan("c:c", PlanOutcome.RESTORED, tags=(TagPlan("r/c:1", TagOutcome.MOVE, ONE, TWO),)),
    ImagePlan("d:d", PlanOutcome.ERROR, problem="The field must.\nIt does not.\n"),
    ImagePlan("e:e", PlanOutcome.DEPENDS, tags=(TagPlan("r/e:1", TagOutcome.DEPENDS, ONE),)),
)
TEXT = """\
build     b:b
  x.txt changed
  tag r/b:1 would move from sha256:111111111111 to what is built
  tag r/b:2 would be created for what is built
  tag r/b:3 is not known: No answer.
  tag r/b:4 would be refused: Two have it.
  last build took 1 min 12 s
restored  c:c
  tag r/c:1 would move from sha256:111111111111 to sha256:222222222222
error     d:d
  The field must.
  It does not.
depends   e:e
  tag r/e:1 may move from sha256:111111111111 to what is built
1 unchanged, 1 restored, 1 build, 1 depends, 1 error
"""


def test_a_terminal_shows_all_that_is_not_unchanged() -> None:
    assert to_text(PLANS) == TEXT


def test_no_images_are_said_to_be_none() -> None:
    assert to_text(()) == "no images\n"


def test_many_reasons_are_counted() -> None:
    plan = ImagePlan("a:a", PlanOutcome.BUILD, changed(*(f"{n:03}" for n in range(100))))
    lines = to_text((plan,)).splitlines()
    assert lines[20:] == ["  019 changed", "  and 80 more reasons", "1 build"]


def test_markdown_shows_names_as_they_are() -> None:
    plan = ImagePlan("a:a", PlanOutcome.BUILD, changed("<b>`x`|*y*\n@all"))
    assert to_markdown((plan,)).splitlines() == [
        "**Images:** 1 build",
        "",
        "- **build** `a:a`",
        "  - ``<b>`x`|*y* @all changed``",
    ]


def test_markdown_fits_into_a_comment() -> None:
    plans = [ImagePlan(f"{n}:a", PlanOutcome.BUILD, changed("x" * 100)) for n in range(1000)]
    text = to_markdown(plans)
    assert len(text) < 65_536
    assert text.splitlines()[-1].endswith(" more")
