"""What documents say of this repository is so: links, names of files and tests, fields, sizes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
import yaml

from pants_docker_buildkit.target_types import BuildKitImageTarget

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / "pants-plugins" / "pants_docker_buildkit"
README = ROOT / "README.md"
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
DOCUMENTS = sorted((*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *DECISIONS))

README_LINES = 150
DECISION_LINES = 60
FIRST_OUTPUT_LINE = 20
COMMON_FIELDS = {"description", "tags"}

_FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
_TEST_NAME = re.compile(r"test_[a-z0-9_]+")
_PYTHON_FILE = re.compile(r"[\w./-]+\.py")


def relative_paths(documents: Iterable[Path]) -> list[str]:
    return [str(each.relative_to(ROOT)) for each in documents]


def prose(document: Path) -> str:
    """A document without its fenced blocks."""
    return _FENCED.sub("", document.read_text())


def anchors(document: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    headings = (re.sub(r"[^\w\s-]", "", each).strip() for each in _HEADING.findall(prose(document)))
    return {each.lower().replace(" ", "-") for each in headings}


def broken_links(document: Path) -> Iterator[str]:
    for link in _LINK.findall(prose(document)):
        if "://" in link:
            continue
        path, _, anchor = unquote(link).partition("#")
        target = document.parent / path if path else document
        if not target.exists() or (anchor and anchor not in anchors(target)):
            yield link


@pytest.mark.parametrize("name", relative_paths(DOCUMENTS))
def test_links_lead_somewhere(name: str) -> None:
    assert list(broken_links(ROOT / name)) == []


@pytest.mark.parametrize("name", relative_paths(DOCUMENTS))
def test_python_files_that_documents_name_exist(name: str) -> None:
    for code in _CODE.findall(prose(ROOT / name)):
        if not _PYTHON_FILE.fullmatch(code):
            continue
        folders = (ROOT, PLUGIN, PLUGIN.parent, ROOT / "tests" / "integration")
        is_named_alone = "/" not in code and any(PLUGIN.rglob(code))
        assert is_named_alone or any((folder / code).exists() for folder in folders), code


def test_tests_that_documents_name_exist() -> None:
    sources = (*ROOT.glob("tests/**/*_test.py"), *PLUGIN.rglob("*_test.py"))
    known = {
        name for path in sources for name in re.findall(r"^def (test_\w+)", path.read_text(), re.M)
    }
    named = {
        code
        for document in DOCUMENTS
        for code in _CODE.findall(prose(document))
        if _TEST_NAME.fullmatch(code)
    }
    assert named - known == set()


def test_the_readme_is_short_and_starts_with_what_happens() -> None:
    lines = README.read_text().splitlines()
    assert len(lines) <= README_LINES
    assert any("@sha256:" in line for line in lines[:FIRST_OUTPUT_LINE])


@pytest.mark.parametrize("name", relative_paths(DECISIONS))
def test_a_decision_has_all_parts_and_fits_on_a_page(name: str) -> None:
    text = (ROOT / name).read_text()
    number = int(Path(name).name[:4])
    assert text.startswith(f"# {number}. ")
    assert "\nStatus: " in text
    parts = [each for each in _HEADING.findall(text)[1:] if each != "What is known"]
    assert parts == ["Context", "Options", "Decision", "Consequences"]
    assert len(text.splitlines()) <= DECISION_LINES


def test_the_guide_lists_every_field_with_its_default() -> None:
    guide = (ROOT / "docs" / "target.md").read_text()
    section = guide.partition("\n## Fields\n")[2].partition("\n## ")[0]
    listed = dict(re.findall(r"^\| `(\w+)` \| `(.*?)` \|", section, re.MULTILINE))
    fields = {
        field.alias: repr(getattr(field, "default", None))
        for field in BuildKitImageTarget.core_fields
        if field.alias not in COMMON_FIELDS
    }
    assert listed == fields


def test_the_page_of_messages_lists_each_error() -> None:
    page = (ROOT / "docs" / "messages.md").read_text()
    listed = set(re.findall(r"\| `(\w+Error)` \|", page))
    errors = {
        name
        for module in ("errors.py", "solver/errors.py")
        for name in re.findall(r"^class (\w+Error)\(", (PLUGIN / module).read_text(), re.M)
    }
    # What others derive from, and what is shown as part of another.
    assert listed == errors - {"BuildKitImageError", "SolverError", "BuildFailedError"}


def test_the_map_of_rules_has_each_module_once() -> None:
    page = (ROOT / "docs" / "how-it-works.md").read_text()
    listed = re.findall(r"`(\w+)`", page.partition("| step | modules |")[2].replace("`lint`", ""))
    modules = {path.stem for path in (PLUGIN / "util_rules").glob("*.py")}
    rules = {each for each in modules if not each.endswith("_test") and each != "__init__"}
    assert sorted(listed) == sorted(rules)


def test_the_map_of_the_session_and_the_solver_has_each_module() -> None:
    listed = set(re.findall(r"`(\w+)\.py`", (ROOT / "docs" / "solver.md").read_text()))
    modules = {path.stem for each in ("session", "solver") for path in (PLUGIN / each).glob("*.py")}
    assert {each for each in modules if not each.endswith("_test")} - listed == {"__init__"}


@pytest.mark.parametrize("name", ["ci", "plan"])
def test_pipelines_are_yaml(name: str) -> None:
    text = (ROOT / "docs" / f"{name}.md").read_text()
    blocks = re.findall(r"^```yaml$(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert blocks
    for block in blocks:
        assert isinstance(yaml.safe_load(block), dict)
