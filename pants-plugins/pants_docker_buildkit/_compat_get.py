"""What a by-name call is on a Pants that has `Get`: a function that builds the `Get`.

Imported only by `compat`, and only below Pants 2.29. Every callee here is a synchronous function
annotated `-> Get`, because the rule parser of those versions follows exactly such functions; the
`Get` that it returns can be awaited or handed to `concurrently`.
"""

from __future__ import annotations

import inspect
from typing import Any, Callable, get_type_hints

from pants.base.specs import Specs
from pants.core.goals.package import BuiltPackage, EnvironmentAwarePackageRequest
from pants.core.util_rules.source_files import SourceFiles, SourceFilesRequest
from pants.engine.addresses import Addresses, UnparsedAddressInputs
from pants.engine.env_vars import EnvironmentVars, EnvironmentVarsRequest
from pants.engine.fs import (
    AddPrefix,
    CreateDigest,
    Digest,
    DigestContents,
    DigestEntries,
    Directory,
    MergeDigests,
    NativeDownloadFile,
    PathGlobs,
    Paths,
    RemovePrefix,
    Snapshot,
    SpecsPaths,
)
from pants.engine.internals.build_files import AddressFamilyDir
from pants.engine.internals.mapper import AddressFamily
from pants.engine.process import FallibleProcessResult, Process
from pants.engine.rules import Get, MultiGet
from pants.engine.rules import _uncacheable_rule as _pants_uncacheable_rule
from pants.engine.rules import rule as _pants_rule
from pants.engine.target import (
    DependenciesRequest,
    FieldSetsPerTarget,
    FieldSetsPerTargetRequest,
    HydratedSources,
    HydrateSourcesRequest,
    Targets,
)
from pants.vcs.git import GitWorktreeRequest, MaybeGitWorktree

if hash(CreateDigest((Directory("a"),))) == hash(CreateDigest((Directory("b"),))):
    # Before Pants 2.25 all collections have one hash (pantsbuild/pants#21725), and the engine
    # compares each that it gets with all others: half of the time that 1,000 images took.
    # Some collections hold what cannot be hashed, but not these.
    CreateDigest.__hash__ = tuple.__hash__  # type: ignore[assignment]
    Addresses.__hash__ = tuple.__hash__  # type: ignore[assignment]

concurrently = MultiGet

_GIVEN = ("request", "field_set", "reference")
"""What a rule that is called by name calls the parameter that its caller gives."""


def implicitly(*args: Any) -> dict[str, Any]:
    return {"__implicitly": args}


def _implicit_input(kwargs: dict[str, Any]) -> Any:
    """The one input given as `**implicitly(value)`."""
    (given,) = kwargs["__implicitly"]
    return given


def _callee(result_type: Any, request_type: Any) -> Callable[..., Get]:
    """What asks for a result with the one value that it is called with."""

    def call(*args: Any, **kwargs: Any) -> Get:
        value = args[0] if args else _implicit_input(kwargs)
        return Get(result_type, request_type, value)

    return call


add_prefix = _callee(Digest, AddPrefix)
create_digest = _callee(Digest, CreateDigest)
determine_source_files = _callee(SourceFiles, SourceFilesRequest)
digest_to_snapshot = _callee(Snapshot, Digest)
download_file = _callee(Digest, NativeDownloadFile)
ensure_address_family = _callee(AddressFamily, AddressFamilyDir)
environment_aware_package = _callee(BuiltPackage, EnvironmentAwarePackageRequest)
environment_vars_subset = _callee(EnvironmentVars, EnvironmentVarsRequest)
execute_process = _callee(FallibleProcessResult, Process)
find_valid_field_sets = _callee(FieldSetsPerTarget, FieldSetsPerTargetRequest)
get_digest_contents = _callee(DigestContents, Digest)
get_digest_entries = _callee(DigestEntries, Digest)
get_git_worktree = _callee(MaybeGitWorktree, GitWorktreeRequest)
hydrate_sources = _callee(HydratedSources, HydrateSourcesRequest)
merge_digests = _callee(Digest, MergeDigests)
path_globs_to_paths = _callee(Paths, PathGlobs)
path_globs_to_digest = _callee(Digest, PathGlobs)
remove_prefix = _callee(Digest, RemovePrefix)
resolve_address_targets = _callee(Targets, Addresses)
resolve_dependency_targets = _callee(Targets, DependenciesRequest)
resolve_specs_paths = _callee(SpecsPaths, Specs)
resolve_unparsed_address_inputs = _callee(Addresses, UnparsedAddressInputs)


def rule(*args: Any, **kwargs: Any) -> Callable[..., Any]:
    """Pants' `@rule`, whose decorated name can also be called: `await my_rule(request)`."""
    return _registered_by_name(_pants_rule, *args, **kwargs)


def uncacheable_rule(*args: Any, **kwargs: Any) -> Callable[..., Any]:
    """Like `rule`, for a rule that runs again in every session."""
    return _registered_by_name(_pants_uncacheable_rule, *args, **kwargs)


def _registered_by_name(
    register: Callable[..., Any], *args: Any, **kwargs: Any
) -> Callable[..., Any]:
    if len(args) == 1 and not kwargs and inspect.isfunction(args[0]):
        return _callable_by_name(args[0], register(args[0]))
    return lambda function: _callable_by_name(function, register(*args, **kwargs)(function))


def _callable_by_name(function: Any, registered: Any) -> Callable[..., Any]:
    """What builds the `Get` for a rule, under whose name the module has it.

    It has no attribute `rule`: Pants 2.19 to 2.22 take a call of any function that has one for
    their own, early form of calls by name. `collect_rules` finds the rule under a name beside it.
    """
    function.__globals__[f"{function.__name__}__rule"] = registered
    hints = get_type_hints(function)
    result_type = hints["return"]
    given = next((each for each in _GIVEN if each in hints), None)
    if given is not None:
        call = _callee(result_type, hints[given])
    else:
        # All that it takes comes from the rule graph.
        def call(*_args: Any, **_kwargs: Any) -> Get:
            return Get(result_type)

    call.__name__ = function.__name__
    call.__doc__ = function.__doc__
    return call
