from __future__ import annotations

from typing import Optional

import pytest
from pants.core.goals.package import OutputPathField
from pants.engine.addresses import Address

from pants_docker_buildkit.util_rules.context_providers import ContextProviders

APP = Address("src/app", target_name="app")
NAMED = Address("src/named", target_name="named")


class _CountingField(OutputPathField):
    """Counts how often any of them is asked, which takes long for all packages of a repository."""

    asked = 0

    def value_or_default(self, *, file_ending: Optional[str]) -> str:
        type(self).asked += 1
        return super().value_or_default(file_ending=file_ending)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        pytest.param("src.app/app", {APP}, id="no-ending"),
        pytest.param("src.app/app.pex", {APP}, id="ending"),
        pytest.param("src.app/app.tar.gz", {APP}, id="two-endings"),
        pytest.param("src.app", {APP}, id="directory"),
        pytest.param("src.app/app-2.pex", set(), id="another-name"),
        pytest.param("out/tool", {NAMED}, id="named"),
        pytest.param("out/tool.pex", set(), id="named-without-that-ending"),
    ],
)
def test_packages_are_found_by_their_paths_without_asking_each(
    path: str, found: set[Address]
) -> None:
    packages = {APP: _CountingField(None, APP), NAMED: _CountingField("out/tool", NAMED)}
    providers = ContextProviders.create({}, (), packages)
    before = _CountingField.asked
    assert set(providers.providing((path,))) == found
    assert set(providers.matching("", f"*{path[1:]}")) == found
    assert _CountingField.asked == before


@pytest.mark.parametrize(
    ("pattern", "is_found"),
    [
        pytest.param("src/app", False, id="directory"),
        pytest.param("src", False, id="directory above"),
        pytest.param("src/a*", False, id="wildcard for directories"),
        pytest.param("src/app/*", False, id="wildcard for everything"),
        pytest.param("src/app/refs.json", True, id="file"),
        pytest.param("src/app/*.json", True, id="wildcard for files"),
    ],
)
def test_what_is_made_of_images_has_to_be_named(pattern: str, is_found: bool) -> None:
    refs = OutputPathField("src/app/refs.json", APP)
    providers = ContextProviders.create({}, (), {APP: refs}, [APP])
    found = providers.matching("", pattern) if "*" in pattern else providers.providing((pattern,))
    assert set(found) == ({APP} if is_found else set())
