"""How long are functions, and is everything public used by the product itself?"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PLUGIN = Path(__file__).parents[2] / "pants-plugins" / "pants_docker_buildkit"
LONGEST_FUNCTION = 60

# Names that Pants asks for.
OF_PANTS = {
    "cacheable",
    "can_finish_async",
    "filespec_matcher",
    "opt_out",
    "target_types",
}

Definition = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def sources() -> Iterator[Path]:
    for path in sorted(PLUGIN.rglob("*.py")):
        is_for_tests = path.name.endswith("_test.py") or path.name in ("conftest.py", "testutil.py")
        if not is_for_tests and "testing" not in path.parts:
            yield path


def nodes(path: Path) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(path.read_text()))


def named(node: ast.AST) -> str | None:
    """The name that a node uses, whatever it belongs to."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.arg if isinstance(node, ast.keyword) else None


def is_for_others(node: ast.AST) -> bool:
    """Whether something is defined that another module may use, and is no rule."""
    if not isinstance(node, Definition) or node.name.startswith("_"):
        return False
    return not any("rule" in ast.dump(decorator) for decorator in node.decorator_list)


@pytest.mark.parametrize("path", sources(), ids=lambda each: str(each.relative_to(PLUGIN)))
def test_functions_are_short(path: Path) -> None:
    for node in nodes(path):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno < LONGEST_FUNCTION, node.name


def test_nothing_public_is_there_for_tests_only() -> None:
    used, defined = set(), set()
    for path in sources():
        for node in nodes(path):
            used.add(named(node))
            # What Pants names may serve an older version only.
            if is_for_others(node) and "compat" not in path.name:
                defined.add(node.name)  # type: ignore[attr-defined]
    assert defined - used == OF_PANTS


def has(node: ast.AST, *kinds: type[ast.AST]) -> bool:
    return any(isinstance(each, kinds) for each in ast.walk(node))


def answers_failures(node: ast.AST) -> bool:
    """Whether a rule whose values Pants keeps has one where a question of it failed."""
    if not isinstance(node, ast.AsyncFunctionDef):
        return False
    decorators = ",".join(map(ast.dump, node.decorator_list))
    return "'rule'" in decorators and any(
        has(ast.Module(each.body, []), ast.Await)
        and any(has(handler, ast.Return) for handler in each.handlers)
        for each in ast.walk(node)
        if isinstance(each, ast.Try)
    )


def test_what_stands_for_a_failure_is_not_kept_for_a_later_session() -> None:
    found = {}
    for path in sources():
        bases = {
            each.name: [named(base) for base in each.bases]
            for each in nodes(path)
            if isinstance(each, ast.ClassDef)
        }
        for node in filter(answers_failures, nodes(path)):
            returned = named(node.returns)  # type: ignore[attr-defined]
            found[node.name] = bases[returned]  # type: ignore[attr-defined,index]
    assert len(found) >= 4
    assert {name for name, bases in found.items() if "MayHaveFailed" not in bases} == set()
