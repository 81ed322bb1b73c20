"""The only module that knows which Pants it runs on.

Rule bodies are written in call-by-name style and import every callee from here. Pants 2.29 and
later have those names; Pants 2.17 to 2.28 get them from `_compat_get`, where they build `Get`s.
`compat.pyi` gives type checkers one signature for both.
"""

# ruff: noqa: F401 - All of it is for others.

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from functools import partial
from typing import Any

from pants.core.goals.test import TestResult
from pants.version import PANTS_SEMVER

# All by-name callees exist since 2.29.0, and `Get`/`MultiGet` are gone since 2.32.0.
GET_STYLE = (PANTS_SEMVER.major, PANTS_SEMVER.minor) < (2, 29)

if GET_STYLE:
    from pants_docker_buildkit._compat_get import (
        add_prefix,
        concurrently,
        create_digest,
        determine_source_files,
        digest_to_snapshot,
        download_file,
        ensure_address_family,
        environment_aware_package,
        environment_vars_subset,
        execute_process,
        find_valid_field_sets,
        get_digest_contents,
        get_digest_entries,
        get_git_worktree,
        hydrate_sources,
        implicitly,
        merge_digests,
        path_globs_to_digest,
        path_globs_to_paths,
        remove_prefix,
        resolve_address_targets,
        resolve_dependency_targets,
        resolve_specs_paths,
        resolve_unparsed_address_inputs,
        rule,
        uncacheable_rule,
    )
else:
    from pants.core.goals.package import environment_aware_package
    from pants.core.util_rules.env_vars import environment_vars_subset
    from pants.core.util_rules.source_files import determine_source_files
    from pants.engine.internals.build_files import ensure_address_family
    from pants.engine.internals.graph import (
        find_valid_field_sets,
        hydrate_sources,
        resolve_unparsed_address_inputs,
    )
    from pants.engine.internals.graph import resolve_targets as resolve_address_targets
    from pants.engine.internals.graph import resolve_targets as resolve_dependency_targets
    from pants.engine.internals.specs_rules import resolve_specs_paths
    from pants.engine.intrinsics import (
        add_prefix,
        create_digest,
        digest_to_snapshot,
        download_file,
        execute_process,
        get_digest_contents,
        get_digest_entries,
        merge_digests,
        path_globs_to_digest,
        path_globs_to_paths,
        remove_prefix,
    )
    from pants.engine.rules import _uncacheable_rule as uncacheable_rule
    from pants.engine.rules import concurrently, implicitly, rule
    from pants.vcs.git import get_git_worktree


def create_test_result(stdout: bytes, **others: Any) -> TestResult:
    """A `TestResult`, whose texts are bytes since Pants 2.18."""
    if "stdout_bytes" in {each.name for each in fields(TestResult)}:
        return TestResult(stdout_bytes=stdout, stderr_bytes=b"", **others)
    return TestResult(stdout=stdout.decode(), stderr="", **others)


def thread_locals() -> Callable[[], None]:
    """Makes another thread log where this one does."""
    try:
        from pants.engine.streaming_workunit_handler import (
            thread_locals_get_for_current_thread,
            thread_locals_set_for_current_thread,
        )
    except ImportError:
        return lambda: None
    return partial(thread_locals_set_for_current_thread, thread_locals_get_for_current_thread())


try:
    from pants.core.environments.target_types import EnvironmentField
except ImportError:  # Pants 2.17 to 2.27
    from pants.core.util_rules.environments import EnvironmentField

try:
    from pants.backend.project_info.peek import (
        AdditionalTargetData,
        HasAdditionalTargetDataFieldSet,
    )
except ImportError:  # Pants 2.17 to 2.20
    AdditionalTargetData = HasAdditionalTargetDataFieldSet = None
