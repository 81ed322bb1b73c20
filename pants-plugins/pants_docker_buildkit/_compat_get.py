"""What a by-name call is on a Pants that has `Get`: a function that builds the `Get`.

Imported only by `compat`, and only below Pants 2.29. Every function here is synchronous and
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

_GIVEN = ("request", "field_set")
"""What a rule that is called by name calls the parameter that its caller gives."""


def implicitly(*args: Any) -> dict[str, Any]:
    return {"__implicitly": args}


def _implicit_input(kwargs: dict[str, Any]) -> Any:
    """The one input given as `**implicitly(value)` or `**implicitly({value: Type})`."""
    (given,) = kwargs["__implicitly"]
    if isinstance(given, dict):
        (given,) = given
    return given


def add_prefix(request: AddPrefix, **_: Any) -> Get:
    return Get(Digest, AddPrefix, request)


def create_digest(request: CreateDigest, **_: Any) -> Get:
    return Get(Digest, CreateDigest, request)


def determine_source_files(request: SourceFilesRequest, **_: Any) -> Get:
    return Get(SourceFiles, SourceFilesRequest, request)


def digest_to_snapshot(digest: Digest, **_: Any) -> Get:
    return Get(Snapshot, Digest, digest)


def ensure_address_family(**kwargs: Any) -> Get:
    return Get(AddressFamily, AddressFamilyDir, _implicit_input(kwargs))


def environment_aware_package(request: EnvironmentAwarePackageRequest, **_: Any) -> Get:
    return Get(BuiltPackage, EnvironmentAwarePackageRequest, request)


def environment_vars_subset(request: EnvironmentVarsRequest, **_: Any) -> Get:
    return Get(EnvironmentVars, EnvironmentVarsRequest, request)


def execute_process(process: Process, **_: Any) -> Get:
    return Get(FallibleProcessResult, Process, process)


def find_valid_field_sets(request: FieldSetsPerTargetRequest[Any], **_: Any) -> Get:
    return Get(FieldSetsPerTarget, FieldSetsPerTargetRequest, request)


def get_digest_contents(digest: Digest, **_: Any) -> Get:
    return Get(DigestContents, Digest, digest)


def get_digest_entries(digest: Digest, **_: Any) -> Get:
    return Get(DigestEntries, Digest, digest)


def get_git_worktree(request: GitWorktreeRequest, **_: Any) -> Get:
    return Get(MaybeGitWorktree, GitWorktreeRequest, request)


def hydrate_sources(request: HydrateSourcesRequest, **_: Any) -> Get:
    return Get(HydratedSources, HydrateSourcesRequest, request)


def merge_digests(request: MergeDigests, **_: Any) -> Get:
    return Get(Digest, MergeDigests, request)


def path_globs_to_paths(request: PathGlobs, **_: Any) -> Get:
    return Get(Paths, PathGlobs, request)


def path_globs_to_digest(request: PathGlobs, **_: Any) -> Get:
    return Get(Digest, PathGlobs, request)


def remove_prefix(request: RemovePrefix, **_: Any) -> Get:
    return Get(Digest, RemovePrefix, request)


def resolve_address_targets(**kwargs: Any) -> Get:
    return Get(Targets, Addresses, _implicit_input(kwargs))


def resolve_dependency_targets(**kwargs: Any) -> Get:
    return Get(Targets, DependenciesRequest, _implicit_input(kwargs))


def resolve_specs_paths(specs: Specs, **_: Any) -> Get:
    return Get(SpecsPaths, Specs, specs)


def resolve_unparsed_address_inputs(request: UnparsedAddressInputs, **_: Any) -> Get:
    return Get(Addresses, UnparsedAddressInputs, request)


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
        request_type = hints[given]

        def call(*args: Any, **kwargs: Any) -> Get:
            value = args[0] if args else _implicit_input(kwargs)
            return Get(result_type, request_type, value)

    else:
        # All that it takes comes from the rule graph.
        def call(*_args: Any, **_kwargs: Any) -> Get:
            return Get(result_type)

    call.__name__ = function.__name__
    call.__doc__ = function.__doc__
    return call
