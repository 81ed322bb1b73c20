"""Which module may import what? Read from the sources, without importing them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = "pants_docker_buildkit"
ROOT = Path(__file__).parents[2] / "pants-plugins"
BELOW = {
    "oci": (),
    "options": (),
    "references": ("oci",),
    "dockerfile": ("oci",),
    "digests": ("dockerfile",),
    "locks": ("oci", "dockerfile"),
    "image_tests": ("oci", "dockerfile"),
    "registry": ("oci",),
    "remote": ("oci", "registry"),
    "buildx": ("oci", "options", "registry"),
    "signatures": ("oci", "registry"),
    "session": ("oci", "registry", "remote", "buildx", "signatures"),
    "migration": ("oci", "buildx", "dockerfile"),
    "solver": ("oci", "registry", "remote", "buildx", "session", "image_tests", "signatures"),
    "reports": ("oci", "session"),
    "plans": ("oci", "dockerfile", "registry", "session", "solver", "reports"),
}
"""The pure packages, and what each may import besides itself."""

PURE = tuple(BELOW)
STANDARD_LIBRARY = frozenset(
    [
        "__future__",
        "argparse",
        "array",
        "base64",
        "bisect",
        "codecs",
        "collections",
        "concurrent",
        "contextlib",
        "csv",
        "dataclasses",
        "datetime",
        "difflib",
        "email",
        "enum",
        "errno",
        "fcntl",
        "fnmatch",
        "functools",
        "gc",
        "hashlib",
        "heapq",
        "hmac",
        "http",
        "io",
        "ipaddress",
        "itertools",
        "json",
        "logging",
        "math",
        "operator",
        "os",
        "pathlib",
        "platform",
        "posixpath",
        "queue",
        "random",
        "re",
        "select",
        "selectors",
        "shlex",
        "shutil",
        "signal",
        "socket",
        "ssl",
        "stat",
        "string",
        "struct",
        "subprocess",
        "sys",
        "tarfile",
        "tempfile",
        "textwrap",
        "threading",
        "time",
        "types",
        "typing",
        "unicodedata",
        "urllib",
        "uuid",
        "warnings",
        "zlib",
    ]
)


def sources(*packages: str) -> list[Path]:
    """The modules of these packages, without their tests."""
    found = [path for name in packages for path in (ROOT / PACKAGE / name).rglob("*.py")]
    return sorted(path for path in found if not _is_for_tests(path))


def _is_for_tests(path: Path) -> bool:
    return path.name.endswith("_test.py") or path.name == "conftest.py" or "testing" in path.parts


def imports(path: Path) -> Iterator[str]:
    """The full names of the modules that a module imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def module_path(name: str) -> Path | None:
    """Where a module of the plugin lies; `None` for what is none."""
    path = ROOT / name.replace(".", "/")
    if path.with_suffix(".py").exists():
        return path.with_suffix(".py")
    return path / "__init__.py" if (path / "__init__.py").exists() else None


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_the_sources_are_here() -> None:
    assert len(sources(*PURE)) > 40


@pytest.mark.parametrize("path", sources(*PURE), ids=name_of)
def test_pure_modules_import_neither_pants_nor_what_is_above_them(path: Path) -> None:
    own = path.relative_to(ROOT / PACKAGE).parts[0]
    allowed = tuple(f"{PACKAGE}.{each}." for each in (own, *BELOW[own]))
    for name in imports(path):
        assert name.partition(".")[0] != "pants", f"{name_of(path)} imports {name}"
        if name.startswith(f"{PACKAGE}."):
            assert f"{name}.".startswith(allowed), f"{name_of(path)} imports {name}"


def test_the_program_of_build_processes_needs_the_standard_library_only() -> None:
    seen: set[Path] = set()
    waiting = [ROOT / PACKAGE / "solver" / "main.py"]
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        for name in imports(path):
            inner = module_path(name)
            if inner is not None:
                waiting.append(inner)
            elif not name.startswith(PACKAGE):
                top = name.partition(".")[0]
                assert top in STANDARD_LIBRARY, f"{name_of(path)} imports {name}"
    assert len(seen) > 15


@pytest.mark.parametrize("path", sources("."), ids=name_of)
def test_only_the_compatibility_modules_ask_which_pants_this_is(path: Path) -> None:
    if path.name not in ("compat.py", "_compat_get.py"):
        assert "pants.version" not in set(imports(path))


@pytest.mark.parametrize("path", sources("."), ids=name_of)
def test_no_module_of_the_plugin_imports_what_is_for_tests(path: Path) -> None:
    if path.name != "testutil.py":
        for name in imports(path):
            assert "testutil" not in name.split("."), f"{name_of(path)} imports {name}"
            assert "testing" not in name.split("."), f"{name_of(path)} imports {name}"
