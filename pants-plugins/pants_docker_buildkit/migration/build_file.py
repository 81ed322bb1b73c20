"""Which text of a BUILD file makes its `docker_image` targets ours?

Also of `__defaults__`, and of files with macros. A target that has something that ours lacks stays
what it is: both kinds may live side by side.
"""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field

from pants_docker_buildkit.buildx.attributes import render_attributes
from pants_docker_buildkit.migration.source_text import Edit, SourceText
from pants_docker_buildkit.oci.reference import looks_like_registry

OLD, NEW = "docker_image", "docker_buildkit_image"

_ARTIFACTS = ("output_files", "output_directories")
"""With these there is no image, and so nothing to keep from being pushed."""

# Fields that mean the same in both.
_SAME_FIELDS = frozenset(
    {
        *("name", "description", "tags", "dependencies", "output_path", "restartable"),
        *("source", "instructions", "context_root", "target_stage", "build_platform"),
        *("image_tags", "repository", "image_labels", "extra_run_args", "skip_push"),
        *("extra_build_args", "extra_build_hosts", "secrets", "ssh"),
        *_ARTIFACTS,
        "outputs_match_mode",
    }
)
_GONE = {
    "pull": "tags of base images are looked up in every session anyway",
    "squash": "BuildKit squashes no layers",
    "skip_hadolint": "hadolint looks at docker_image targets only",
    "skip_trivy": "Pants' Trivy looks at docker_image targets only",
}
_RELATED = frozenset(
    {"name", "dependencies", "registries", "repository", "skip_push", "output", *_ARTIFACTS}
)
"""Fields of which one says what becomes of another, which is looked for beside it."""

_NETWORKS = ("default", "none", "host")
_MENTION = re.compile(rf"\b{OLD}\b")
_NO_EQUIVALENT = {
    "extra_build_options": "has a field for most options: `shm_size`, `ulimits`, `entitlements`,"
    " `no_cache`, `image_annotations`, …; `--cgroup-parent` and `--no-cache-filter` have none",
}
_NOT_OF_OLD = {"environment": '"__local__"', "resolve": "None"}
"""Fields of many targets, and of ours, with the values that stand for none."""

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
    stayed: frozenset[str] = frozenset()
    """The addresses of targets that stay what they are, as far as their names are written out."""

    @property
    def changes(self) -> tuple[Remark, ...]:
        """What is changed."""
        return tuple(each for each in self.remarks if each.is_change)

    @property
    def flags(self) -> tuple[Remark, ...]:
        """What somebody has to look at."""
        return tuple(each for each in self.remarks if not each.is_change)

    @property
    def has_stayed(self) -> bool:
        """Whether a target, or the defaults of targets, stay what they are."""
        return any(each.text.startswith(_STAYS) for each in self.flags)


_STAYS = f"stays a {OLD}. "
_NOT_IN_SIGHT = "its fields are not all in sight: check those in the guide"


class _StaysError(Exception):
    """A target cannot become ours, and why."""


def _stays(field_name: str, reason: str) -> _StaysError:
    return _StaysError(f"`{field_name}`: {reason}")


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


@dataclass(frozen=True)
class ImageUses:
    """How images use others. All are named by their addresses.

    `bases` are used and `publish` leaves them alone. `names` are what each image calls others that
    it finds in the local engine, `arguments` the images that the `ARG`s of each name, and `kept`
    why some have to stay.
    """

    bases: Collection[str] = ()
    names: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    arguments: Mapping[str, Collection[str]] = field(default_factory=dict)
    kept: Mapping[str, str] = field(default_factory=dict)


def move_build_file(
    path: str,
    text: str,
    uses: ImageUses = ImageUses(),
    *,
    is_macro: bool = False,
    keeps_defaults: bool = False,
    blocked: str = "",
) -> MovedBuildFile:
    """Make the `docker_image` targets of a BUILD file ours.

    With `keeps_defaults`, images stay below that have these defaults, so ours get the same beside
    them. `blocked` is why no target of the file may move, if so.

    Raises `SyntaxError` where the text is no Python.
    """
    source = SourceText(text)
    edits: list[Edit] = []
    remarks: list[Remark] = []
    stayed: set[str] = set()
    directory = None if is_macro else posixpath.dirname(path)
    tree = ast.parse(text)
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        if not isinstance(call.func, ast.Name):
            continue
        plan = _Plan(source)
        try:
            if call.func.id == OLD:
                if blocked:
                    raise _StaysError(blocked)
                _plan_target(plan, call, directory, uses)
            elif _is_defaults(call) and not blocked:
                _plan_defaults(plan, call, keeps_defaults=keeps_defaults)
        except _StaysError as e:
            remarks.append(Remark(call.lineno, f"{_STAYS}{e}", is_change=False))
            stayed.add(_address(call, directory) or "")
            continue
        edits.extend(plan.edits)
        remarks.extend(plan.remarks)
    remarks.extend(_other_mentions(tree))
    remarks.extend(_fields_of_all(source, tree))
    remarks.sort(key=lambda each: each.line)
    return MovedBuildFile(source.apply(edits), tuple(remarks), frozenset(stayed - {""}))


def why_defaults_stay(path: str, text: str) -> str | None:
    """Why the defaults of a BUILD file cannot be those of our targets; None if they can.

    Its targets, and those below it, would lose them.
    """
    for call in (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)):
        if _is_defaults(call):
            try:
                _plan_defaults(_Plan(SourceText(text)), call, keeps_defaults=False)
            except _StaysError as e:
                return f"the defaults in {path}, line {call.lineno}, stay. {e}"
    return None


def has_old_defaults(text: str) -> bool:
    """Whether a BUILD file has defaults for `docker_image` that ours would not get."""
    for call in (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)):
        if _is_defaults(call):
            keys = [key for each in call.args if isinstance(each, ast.Dict) for key in each.keys]
            if any(_names_of_target(key, OLD) for key in keys) and not any(
                _names_of_target(key, NEW) for key in keys
            ):
                return True
    return False


def _other_mentions(tree: ast.AST) -> Iterator[Remark]:
    """Where else the old name stands: a macro's alias, a rule of visibility, a filter."""
    calls = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    ]
    seen = {id(call.func) for call in calls}
    for call in calls:
        if _is_defaults(call):
            seen.update(id(each) for part in call.args for each in ast.walk(part))
    for node in ast.walk(tree):
        if isinstance(node, ast.expr) and id(node) not in seen:
            text = node.id if isinstance(node, ast.Name) else _text(node)
            if text is not None and _MENTION.search(text):
                question = f"names {OLD}: should it name {NEW}, too?"
                yield Remark(node.lineno, question, is_change=False)


def _fields_of_all(source: SourceText, tree: ast.AST) -> Iterator[Remark]:
    """Where `__defaults__` give every target a field that ours has, and `docker_image` has not."""
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        keys = [key for each in call.args if isinstance(each, ast.Dict) for key in each.keys]
        if not _is_defaults(call) or any(_names_of_target(key, NEW) for key in keys):
            continue
        for each in (keyword.value for keyword in call.keywords if keyword.arg == "all"):
            names = {item.name for item in _default_items(source, each)} & _NOT_OF_OLD.keys()
            if names:
                own = ", ".join(f"{name}={_NOT_OF_OLD[name]}" for name in sorted(names))
                begin = f'begin with `{{"{NEW}": dict({own})}}`'
                text = f"`all` also gives {NEW} what {OLD} has not: {begin}"
                yield Remark(each.lineno, text, is_change=False)


def _is_defaults(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Name) and call.func.id == "__defaults__"


def _address(call: ast.Call, directory: str | None) -> str | None:
    """The address of a target, if it is written out."""
    if directory is None:
        return None
    name = next((each.value for each in call.keywords if each.arg == "name"), None)
    text = posixpath.basename(directory) if name is None else _text(name)
    return None if text is None else f"{directory}:{text}"


def _plan_target(plan: _Plan, call: ast.Call, directory: str | None, uses: ImageUses) -> None:
    address = _address(call, directory)
    if address is not None and address in uses.kept:
        raise _StaysError(uses.kept[address])
    plan.change(call, f"{OLD} is {NEW}", plan.source.replace(call.func, NEW))
    items = list(_keyword_items(plan.source, call))
    unpacked = [item for value in _unpacked(call) for item in _default_items(plan.source, value)]
    counts = [_number_of_defaults(value) for value in _unpacked(call)]
    is_in_sight = len(unpacked) == sum(each or 0 for each in counts) and None not in counts
    if not is_in_sight or call.args or _RELATED & {each.name for each in unpacked}:
        plan.flag(call, _NOT_IN_SIGHT)
    _plan_fields(plan, unpacked)
    values = {each.name: each for each in items}
    is_unpushed = _plan_local_registry(plan, values)
    _plan_fields(plan, [each for each in items if not (is_unpushed and each.name == "registries")])
    if address is not None:
        _plan_names(plan, values.get("dependencies"), address, uses.names.get(address, {}))
    skip = values.get("skip_push")
    if skip is None or _is_false(skip.value) or values.keys() & {"output", *_ARTIFACTS}:
        return
    assert skip.keyword is not None
    if not _is_true(skip.value):
        plan.flag(
            skip.keyword,
            "`skip_push`: `package` pushes this image by its digest, unless it has"
            ' `output="docker"` where it is skipped',
        )
    elif address is None:
        _plan_unknown_skip(plan, skip.keyword, uses.bases)
    elif address not in uses.bases:
        edit = plan.source.add_after(skip.keyword, 'output="docker"')
        plan.change(skip.keyword, '`output="docker"` keeps it in the local engine', edit)
    elif not is_unpushed:
        plan.flag(
            skip.keyword,
            "`skip_push`: `package` pushes this image by its digest, if it has a registry, because"
            " others build on it; `publish` leaves it alone",
        )


def _plan_local_registry(plan: _Plan, values: Mapping[str, _Item]) -> bool:
    """Take out what is no registry but begins a name in the local engine, if it is that.

    Such an image needs no registry, because nothing is pushed.
    """
    registries, repository = values.get("registries"), values.get("repository")
    skip = values.get("skip_push")
    if registries is None or repository is None or skip is None or not _is_true(skip.value):
        return False
    names, path = _texts(registries.value), _text(repository.value)
    if path is None or len(names) != 1 or not _is_no_registry(names[0]):
        return False
    edit = plan.source.replace(repository.value, _quote(f"{names[0].strip('/')}/{path}"))
    plan.change(repository.place, f"{names[0]!r} is part of the repository", edit)
    edit = plan.source.replace(registries.value, "[]")
    plan.change(registries.place, f"Docker takes {names[0]!r} for no registry", edit)
    return True


def _plan_names(
    plan: _Plan, dependencies: _Item | None, address: str, names: Mapping[str, str]
) -> None:
    """Say which targets the images are that the Dockerfile names by their tags."""
    if not names:
        return
    directory = address.rpartition(":")[0]
    relative = {name: re.sub(rf"\A{re.escape(directory)}:", ":", names[name]) for name in names}
    written = (f"{_quote(name)}: {_quote(other)}" for name, other in sorted(relative.items()))
    contexts = f"build_contexts={{{', '.join(written)}}}"
    reason = "the Dockerfile names images of this repository by their tags"
    if dependencies is None or dependencies.keyword is None:
        raise _StaysError(f"{reason}: `{contexts}` says which those are")
    edit = plan.source.add_after(dependencies.keyword, contexts)
    plan.change(dependencies.place, f"`build_contexts`: {reason}", edit)


def _plan_unknown_skip(plan: _Plan, skip: ast.keyword, bases: Collection[str]) -> None:
    """An image that is not published, whose address is not known here."""
    if not bases:
        edit = plan.source.add_after(skip, 'output="docker"')
        plan.change(skip, '`output="docker"` keeps it in the local engine', edit)
    else:
        plan.flag(
            skip,
            "`skip_push`: `package` pushes these images by their digests; to keep those in the"
            f' local engine that none builds on, set `output="docker"`. Used by others:'
            f" {', '.join(sorted(bases))}",
        )


def _plan_defaults(plan: _Plan, call: ast.Call, *, keeps_defaults: bool) -> None:
    for defaults in (each for each in call.args if isinstance(each, ast.Dict)):
        if any(_names_of_target(key, NEW) for key in defaults.keys):
            continue
        for key, value in zip(defaults.keys, defaults.values):
            for old in _names_of_target(key, OLD):
                items = list(_default_items(plan.source, value))
                if len(items) != _number_of_defaults(value):
                    plan.flag(value, _NOT_IN_SIGHT)
                _plan_fields(plan, items)
                is_text = isinstance(old, ast.Constant)
                new = f'"{NEW}"' if is_text else NEW
                if keeps_defaults and key is not None:
                    entry = f"{new}: {plan.source.text_of(value, plan.edits)}"
                    plan.edits = [plan.source.add_before(key, entry)]
                    plan.remarks = [each for each in plan.remarks if not each.is_change]
                    text = f"defaults of {OLD} are also of {NEW}: images of both kinds are below"
                    plan.remarks.append(Remark(old.lineno, text, is_change=True))
                else:
                    text = f"defaults of {OLD} are of {NEW}"
                    plan.change(old, text, plan.source.replace(old, new))
                for each in items:
                    if each.name == "skip_push" and not _is_false(each.value):
                        plan.flag(
                            each.value,
                            "`skip_push`: `package` pushes these images by their digests; to keep"
                            ' those in the local engine that none builds on, set `output="docker"`',
                        )


def _names_of_target(key: ast.expr | None, name: str) -> list[ast.expr]:
    keys = key.elts if isinstance(key, ast.Tuple) else [] if key is None else [key]
    return [
        each
        for each in keys
        if (isinstance(each, ast.Name) and each.id == name) or _text(each) == name
    ]


def _keyword_items(source: SourceText, call: ast.Call) -> Iterator[_Item]:
    for each in call.keywords:
        if each.arg is not None:
            yield _Item(each.arg, each.value, each, source.start(each), each)


def _unpacked(call: ast.Call) -> list[ast.expr]:
    """The maps that a target unpacks into its fields: `**{…}`, or a group of `parametrize`."""
    return [each.value for each in call.keywords if each.arg is None]


def _default_items(source: SourceText, value: ast.expr) -> Iterator[_Item]:
    if isinstance(value, ast.Dict):
        for key, each in zip(value.keys, value.values):
            name = None if key is None else _text(key)
            if key is not None and name is not None:
                yield _Item(name, each, each, source.start(key))
    call = _dict_call(value) or _parametrize_call(value)
    if call is not None:
        yield from _keyword_items(source, call)


def _number_of_defaults(value: ast.expr) -> int | None:
    """How many entries a map has, with one for what it unpacks; None if it is not written out."""
    if isinstance(value, ast.Dict):
        return len(value.keys)
    group = _parametrize_call(value)
    if group is not None:
        # Its first argument is its name.
        return len(group.args) - 1 + len(group.keywords)
    call = _dict_call(value)
    return None if call is None else len(call.args) + len(call.keywords)


def _dict_call(node: ast.expr) -> ast.Call | None:
    return _call_of(node, "dict")


def _parametrize_call(node: ast.expr) -> ast.Call | None:
    return _call_of(node, "parametrize")


def _call_of(node: ast.expr, name: str) -> ast.Call | None:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
        return node
    return None


def _alternatives(value: ast.expr) -> list[ast.expr]:
    """The values that a field has: one, or those of `parametrize`."""
    call = _parametrize_call(value)
    return [value] if call is None else [*call.args, *(each.value for each in call.keywords)]


def _plan_fields(plan: _Plan, items: list[_Item]) -> None:
    for item in items:
        if item.name in _SAME_FIELDS:
            continue
        if item.name in _NO_EQUIVALENT:
            raise _stays(item.name, f"{NEW} {_NO_EQUIVALENT[item.name]}")
        if item.name in _GONE:
            _plan_removal(plan, item)
        elif item.name in _PLANS:
            _PLANS[item.name](plan, item)
        else:
            raise _stays(item.name, f"{NEW} has no such field")


def _plan_cache(plan: _Plan, item: _Item) -> None:
    values = item.value.elts if isinstance(item.value, (ast.List, ast.Tuple)) else [item.value]
    if all(_text(each) is not None for each in values) and values is not None:
        return
    maps = [_map(each) for each in values]
    if any(each is None for each in maps):
        return  # A map means the same there.
    texts = ", ".join(_quote(render_attributes(each)) for each in maps if each is not None)
    edit = plan.source.replace(item.value, f"[{texts}]")
    plan.change(item.place, f"`{item.name}` is text, as buildx takes it", edit)


def _plan_output(plan: _Plan, item: _Item) -> None:
    for value in _alternatives(item.value):
        attributes = _map(value)
        if attributes is None:
            raise _stays("output", "its value is not written out here, so it was not rewritten")
        output = _OUTPUTS.get(tuple(sorted(attributes)))
        if output is None:
            raise _stays("output", f'{NEW} has "registry", "oci" and "docker" only')
        plan.change(item.place, "`output` is a word", plan.source.replace(value, f'"{output}"'))


def _plan_removal(plan: _Plan, item: _Item) -> None:
    if item.name == "squash" and not _is_false(item.value):
        plan.flag(item.place, "`squash`: the image has its layers now; use stages")
    edit = plan.source.remove(item.place, item.start)
    plan.change(item.place, f"`{item.name}` goes: {_GONE[item.name]}", edit)


def _check_registries(_plan: _Plan, item: _Item) -> None:
    for text in (text for value in _alternatives(item.value) for text in _texts(value)):
        if _is_no_registry(text):
            hub = f'of "docker.io": name that, and begin `repository` with {text!r}'
            raise _stays(item.name, f"Docker takes {text!r} for part of a repository {hub}")


def _is_no_registry(text: str) -> bool:
    """Whether Docker takes `text/repository` for a repository of Docker Hub."""
    host = text.removeprefix("https://").partition("/")[0]
    return not text.startswith("@") and not looks_like_registry(host)


def _check_network(_plan: _Plan, item: _Item) -> None:
    networks = {_text(each) for each in _alternatives(item.value)} - {None}
    if not networks.issubset(_NETWORKS):
        named = ", ".join(f'"{each}"' for each in _NETWORKS)
        raise _stays(item.name, f"`RUN` steps have one of the networks {named} with BuildKit")


def _check_environment(_plan: _Plan, item: _Item) -> None:
    if _text(item.value) != "__local__":
        raise _stays(item.name, f"{NEW} builds where Pants runs")


_PLANS: dict[str, Callable[[_Plan, _Item], None]] = {
    "cache_from": _plan_cache,
    "cache_to": _plan_cache,
    "output": _plan_output,
    "registries": _check_registries,
    "build_network": _check_network,
    "environment": _check_environment,
}


def _texts(node: ast.expr) -> list[str]:
    """The texts of a list that are written out."""
    values = node.elts if isinstance(node, (ast.List, ast.Tuple)) else []
    return [text for text in map(_text, values) if text is not None]


def _text(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _is_true(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is True


def _is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


def _map(node: ast.expr) -> list[tuple[str, str]] | None:
    """The pairs of a map that is written out; None of anything else."""
    call = _dict_call(node)
    if call is not None:
        texts = [(each.arg, _text(each.value)) for each in call.keywords]
        written = [(name, text) for name, text in texts if name is not None and text is not None]
        return None if call.args or len(written) != len(texts) else written
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
