"""Which text of a BUILD file makes its `docker_image` targets ours?

Also of `__defaults__`, and of files with macros. A target that has something that ours lacks stays
what it is: both kinds may live side by side.
"""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from pants_docker_buildkit.buildx.attributes import render_attributes
from pants_docker_buildkit.migration.source_text import Edit, SourceText

OLD, NEW = "docker_image", "docker_buildkit_image"

_ARTIFACTS = ("output_files", "output_directories")
"""With these there is no image, and so nothing to keep from being pushed."""

# Fields that mean the same in both.
SAME_FIELDS = frozenset(
    {
        *("name", "description", "tags", "dependencies", "output_path", "restartable"),
        *("source", "instructions", "context_root", "target_stage", "build_platform"),
        *("image_tags", "registries", "repository", "image_labels", "extra_run_args"),
        *("extra_build_args", "extra_build_hosts", "build_network", "secrets", "ssh"),
        *_ARTIFACTS,
        "outputs_match_mode",
    }
)
_NO_EQUIVALENT = {
    "extra_build_options": "has a field for each option: `shm_size`, `ulimits`, `entitlements`,"
    " `no_cache`, `image_annotations`, …",
}
_OUTPUTS = {
    (("type", "docker"),): "docker",
    (("type", "registry"),): "registry",
    (("push", "true"), ("type", "image")): "registry",
    (("type", "oci"),): "oci",
}


@dataclass(frozen=True)
class Remark:
    """Something to know of a line. `is_change` if the line is changed for it."""

    line: int
    text: str
    is_change: bool


@dataclass(frozen=True)
class MovedBuildFile:
    """The new text of a file, and why it is so."""

    text: str
    remarks: tuple[Remark, ...]

    @property
    def changes(self) -> tuple[Remark, ...]:
        """What is changed."""
        return tuple(each for each in self.remarks if each.is_change)

    @property
    def flags(self) -> tuple[Remark, ...]:
        """What somebody has to look at."""
        return tuple(each for each in self.remarks if not each.is_change)


class _StaysError(Exception):
    """A target cannot become ours."""

    def __init__(self, field_name: str, reason: str) -> None:
        super().__init__(f"`{field_name}`: {reason}")


@dataclass
class _Plan:
    """What to do with one target, or with the defaults of all."""

    source: SourceText
    edits: list[Edit] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)

    def change(self, node: ast.expr | ast.keyword, text: str, edit: Edit) -> None:
        self.edits.append(edit)
        self.remarks.append(Remark(node.lineno, text, is_change=True))

    def flag(self, node: ast.expr | ast.keyword, text: str) -> None:
        self.remarks.append(Remark(node.lineno, text, is_change=False))


@dataclass(frozen=True)
class _Item:
    """One field: `name=value` of a call, or `"name": value` of a map that begins at `start`."""

    name: str
    value: ast.expr
    place: ast.expr | ast.keyword
    start: int
    keyword: ast.keyword | None = None


def move_build_file(path: str, text: str, bases: Collection[str] = ()) -> MovedBuildFile:
    """Make the `docker_image` targets of a BUILD file ours. `bases` are addresses that images use.

    Raises `SyntaxError` where the text is no Python.
    """
    source = SourceText(text)
    edits: list[Edit] = []
    remarks: list[Remark] = []
    for call in (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)):
        if not isinstance(call.func, ast.Name):
            continue
        plan = _Plan(source)
        try:
            if call.func.id == OLD:
                _plan_target(plan, call, posixpath.dirname(path), bases)
            elif call.func.id == "__defaults__":
                _plan_defaults(plan, call)
        except _StaysError as e:
            remarks.append(Remark(call.lineno, f"stays a {OLD}. {e}", is_change=False))
            continue
        edits.extend(plan.edits)
        remarks.extend(plan.remarks)
    remarks.sort(key=lambda each: each.line)
    return MovedBuildFile(source.apply(edits), tuple(remarks))


def _plan_target(plan: _Plan, call: ast.Call, directory: str, bases: Collection[str]) -> None:
    plan.change(call, f"{OLD} is {NEW}", plan.source.replace(call.func, NEW))
    items = [
        _Item(each.arg, each.value, each, plan.source.start(each), each)
        for each in call.keywords
        if each.arg is not None
    ]
    if len(items) != len(call.keywords) or call.args:
        plan.flag(call, "its fields are not all in sight (`**`): check those in the guide")
    _plan_fields(plan, items)
    values = {each.name: each for each in items}
    skip = values.get("skip_push")
    if skip is None or not _is_true(skip.value) or values.keys() & {"output", *_ARTIFACTS}:
        return
    name = _text(values["name"].value) if "name" in values else posixpath.basename(directory)
    assert skip.keyword is not None
    if name is None or f"{directory}:{name}" in bases:
        plan.flag(
            skip.keyword,
            "`skip_push`: `package` pushes this image by its digest, because others build on it;"
            " `publish` leaves it alone",
        )
    else:
        edit = plan.source.add_after(skip.keyword, 'output="docker"')
        plan.change(skip.keyword, '`output="docker"` keeps it in the local engine', edit)


def _plan_defaults(plan: _Plan, call: ast.Call) -> None:
    for defaults in (each for each in call.args if isinstance(each, ast.Dict)):
        for key, value in zip(defaults.keys, defaults.values):
            for old in _names_of_target(key):
                is_text = isinstance(old, ast.Constant)
                new = f'"{NEW}"' if is_text else NEW
                plan.change(old, f"defaults of {OLD} are of {NEW}", plan.source.replace(old, new))
                items = list(_default_items(plan.source, value))
                _plan_fields(plan, items)
                for each in items:
                    if each.name == "skip_push" and _is_true(each.value):
                        plan.flag(
                            each.value,
                            "`skip_push`: `package` pushes these images by their digests; to keep"
                            ' those in the local engine that none builds on, set `output="docker"`',
                        )


def _names_of_target(key: ast.expr | None) -> Iterator[ast.expr]:
    keys = key.elts if isinstance(key, ast.Tuple) else [] if key is None else [key]
    for each in keys:
        is_name = isinstance(each, ast.Name) and each.id == OLD
        if is_name or _text(each) == OLD:
            yield each


def _default_items(source: SourceText, value: ast.expr) -> Iterator[_Item]:
    if isinstance(value, ast.Dict):
        for key, each in zip(value.keys, value.values):
            name = None if key is None else _text(key)
            if key is not None and name is not None:
                yield _Item(name, each, each, source.start(key))
    elif isinstance(value, ast.Call):
        for keyword in value.keywords:
            if keyword.arg is not None:
                yield _Item(keyword.arg, keyword.value, keyword, source.start(keyword), keyword)


def _plan_fields(plan: _Plan, items: list[_Item]) -> None:
    for item in items:
        if item.name in SAME_FIELDS or item.name == "skip_push":
            continue
        if item.name in _NO_EQUIVALENT:
            raise _StaysError(item.name, f"{NEW} {_NO_EQUIVALENT[item.name]}")
        if item.name in ("cache_from", "cache_to"):
            _plan_cache(plan, item)
        elif item.name == "output":
            _plan_output(plan, item)
        elif item.name in ("pull", "squash"):
            _plan_removal(plan, item)
        elif item.name == "environment":
            if _text(item.value) != "__local__":
                raise _StaysError("environment", f"{NEW} builds where Pants runs")
        else:
            raise _StaysError(item.name, f"{NEW} has no such field")


def _plan_cache(plan: _Plan, item: _Item) -> None:
    values = item.value.elts if isinstance(item.value, (ast.List, ast.Tuple)) else [item.value]
    if all(_text(each) is not None for each in values) and values is not None:
        return
    maps = [_map(each) for each in values]
    if any(each is None for each in maps):
        raise _StaysError(item.name, "its value is not written out here, so it was not rewritten")
    texts = ", ".join(_quote(render_attributes(each)) for each in maps if each is not None)
    edit = plan.source.replace(item.value, f"[{texts}]")
    plan.change(item.place, f"`{item.name}` is text, as buildx takes it", edit)


def _plan_output(plan: _Plan, item: _Item) -> None:
    attributes = _map(item.value)
    if attributes is None:
        raise _StaysError("output", "its value is not written out here, so it was not rewritten")
    output = _OUTPUTS.get(tuple(sorted(attributes)))
    if output is None:
        raise _StaysError("output", f'{NEW} has "registry", "oci" and "docker" only')
    plan.change(item.place, "`output` is a word", plan.source.replace(item.value, f'"{output}"'))


def _plan_removal(plan: _Plan, item: _Item) -> None:
    reason = "tags of base images are looked up in every session anyway"
    if item.name == "squash":
        reason = "BuildKit squashes no layers"
        if not _is_false(item.value):
            plan.flag(item.place, "`squash`: the image has its layers now; use stages")
    edit = plan.source.remove(item.place, item.start)
    plan.change(item.place, f"`{item.name}` goes: {reason}", edit)


def _text(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _is_true(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is True


def _is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


def _map(node: ast.expr) -> list[tuple[str, str]] | None:
    """The pairs of a map that is written out; None of anything else."""
    if not isinstance(node, ast.Dict):
        return None
    pairs = []
    for key, value in zip(node.keys, node.values):
        name, text = None if key is None else _text(key), _text(value)
        if name is None or text is None:
            return None
        pairs.append((name, text))
    return pairs


def _quote(text: str) -> str:
    return repr(text) if '"' in text else f'"{text}"'
