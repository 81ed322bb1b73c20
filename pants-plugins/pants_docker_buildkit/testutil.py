"""A Pants engine with the plugin in it, for tests of rules. It starts no build."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Union

from pants.backend.shell import register as shell
from pants.backend.shell.target_types import ShellCommandTarget, ShellSourcesGeneratorTarget
from pants.base.build_root import BuildRoot
from pants.core import register as core
from pants.core.goals.package import BuiltPackage
from pants.core.goals.publish import PublishProcesses
from pants.core.goals.tailor import PutativeTargets
from pants.core.target_types import (
    ArchiveTarget,
    FilesGeneratorTarget,
    FileTarget,
    GenericTarget,
    RelocatedFiles,
    ResourcesGeneratorTarget,
    ResourceTarget,
    http_source,
)
from pants.engine import target as pants_target
from pants.engine.addresses import Address
from pants.engine.fs import EMPTY_DIGEST, CreateDigest, Digest, DigestEntries, FileContent
from pants.engine.internals.parametrize import Parametrize
from pants.engine.internals.scheduler import ExecutionError
from pants.engine.process import InteractiveProcess
from pants.engine.rules import QueryRule
from pants.engine.streaming_workunit_handler import WorkunitsCallbackFactory
from pants.engine.target import Dependencies, DependenciesRequest, InferredDependencies, Target
from pants.testutil.rule_runner import RuleRunner
from pants.vcs import git

from pants_docker_buildkit import register
from pants_docker_buildkit.built_image import BuiltBuildKitImage
from pants_docker_buildkit.dependency_inference import InferImageDependencies
from pants_docker_buildkit.goals.publish import PublishImageFieldSet, PublishImageRequest
from pants_docker_buildkit.goals.tailor import PutativeImageTargetsRequest
from pants_docker_buildkit.image_field_set import BuildKitImageFieldSet
from pants_docker_buildkit.oci.descriptor import Descriptor
from pants_docker_buildkit.oci.digest import OciDigest
from pants_docker_buildkit.oci.layout import blob_name
from pants_docker_buildkit.oci.media_types import MediaType
from pants_docker_buildkit.oci.platform_image import PlatformImage
from pants_docker_buildkit.oci.reference import ImageReference
from pants_docker_buildkit.provenance import provenance_referrer
from pants_docker_buildkit.session.running import SessionKeeper
from pants_docker_buildkit.util_rules.build_context import ContextTree
from pants_docker_buildkit.util_rules.confirmation import ConfirmationRequest, ImageConfirmation
from pants_docker_buildkit.util_rules.definition import ImageDefinition, ImageDefinitionRequest
from pants_docker_buildkit.util_rules.docker_environment import DockerEnvironment
from pants_docker_buildkit.util_rules.published_names import PublishedNames
from pants_docker_buildkit.util_rules.session import Session
from pants_docker_buildkit.util_rules.session_callback import SessionCallbackFactoryRequest

TARGET_TYPES = (
    *register.target_types(),
    ArchiveTarget,
    FileTarget,
    FilesGeneratorTarget,
    GenericTarget,
    ResourceTarget,
    ResourcesGeneratorTarget,
    RelocatedFiles,
    ShellCommandTarget,
    ShellSourcesGeneratorTarget,
)


def create_rule_runner(
    target_types: Iterable[type[Target]] = (),
    rules: Iterable[Any] = (),
    *,
    named_caches: Path | None = None,
) -> RuleRunner:
    """An engine that knows image targets, what can go into their contexts, and what is added.

    With `named_caches` it has caches of its own.
    """
    return RuleRunner(
        target_types=(*TARGET_TYPES, *target_types),
        objects={"http_source": http_source, "parametrize": Parametrize},
        rules=(
            *core.rules(),
            *shell.rules(),
            *git.rules(),
            *register.rules(),
            QueryRule(ImageDefinition, (ImageDefinitionRequest,)),
            QueryRule(ContextTree, (BuildKitImageFieldSet,)),
            QueryRule(InferredDependencies, (InferImageDependencies,)),
            QueryRule(PutativeTargets, (PutativeImageTargetsRequest,)),
            QueryRule(DigestEntries, (Digest,)),
            QueryRule(BuiltPackage, (BuildKitImageFieldSet,)),
            QueryRule(DockerEnvironment, ()),
            QueryRule(ImageConfirmation, (ConfirmationRequest,)),
            QueryRule(Session, ()),
            QueryRule(SessionKeeper, ()),
            QueryRule(WorkunitsCallbackFactory, (SessionCallbackFactoryRequest,)),
            *rules,
            QueryRule(PublishProcesses, (PublishImageRequest,)),
            QueryRule(PublishedNames, (BuildKitImageFieldSet,)),
        ),
        preserve_tmpdirs=False,
        isolated_local_store=named_caches is not None,
        bootstrap_args=() if named_caches is None else (f"--named-caches-dir={named_caches}",),
    )


@dataclass
class ImageRunner:
    """Asks the plugin's rules about the targets of a repository of its own."""

    runner: RuleRunner = field(default_factory=create_rule_runner)

    def write(self, files: Mapping[str, Union[str, bytes]]) -> None:
        """Write files below the build root."""
        self.enter()
        self.runner.write_files(dict(files))

    def enter(self) -> None:
        """Have the build root of this one again, which another runner changed as it was made."""
        BuildRoot().path = self.runner.build_root

    def clear(self) -> None:
        """Remove all files below the build root."""
        root = Path(self.runner.build_root)
        kept = (".pants.d", "BUILDROOT")
        for entry in [each for each in root.iterdir() if each.name not in kept]:
            paths = {str(each.relative_to(root)) for each in (entry, *entry.rglob("*"))}
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
            self.runner.scheduler.invalidate_files({"", *paths})

    def close(self) -> None:
        """End the session, and with it its connections."""
        self.keeper().close()

    def set_options(
        self,
        *options: str,
        env: Mapping[str, str] | None = None,
        inherit: Iterable[str] = ("PATH",),
    ) -> None:
        """Use these options of `[docker-buildkit]`, as `name=value`, from now on."""
        self.enter()
        arguments = [f"--docker-buildkit-{option}" for option in options]
        self.runner.set_options(arguments, env=dict(env or {}), env_inherit=set(inherit))

    def target(self, address: str) -> Target:
        """The target at `directory:name`."""
        directory, _, name = address.partition(":")
        name, _, generated = name.partition("#")
        return self.runner.get_target(
            Address(directory, target_name=name, generated_name=generated or None)
        )

    def field_set(self, address: str) -> BuildKitImageFieldSet:
        """The fields of an image target."""
        return BuildKitImageFieldSet.create(self.target(address))

    def definition(self, address: str) -> ImageDefinition:
        """What the build of an image would be."""
        request = ImageDefinitionRequest(self.field_set(address))
        return self.runner.request(ImageDefinition, (request,))

    def context(self, address: str) -> list[str]:
        """The paths of an image's main context; directories that are listed end with `/`."""
        request = self.field_set(address)
        tree = self.runner.request(ContextTree, (request,))
        return sorted(entry.path for entry in tree.entries)

    def inferred(self, address: str) -> set[str]:
        """The addresses that an image's Dockerfile brings in."""
        return {each for each in self._inferred(address) if ":_" not in each}

    def input_files(self, address: str) -> set[str]:
        """The addresses of the files that an image's build reads though nobody declares them."""
        return {each for each in self._inferred(address) if ":_" in each}

    def _inferred(self, address: str) -> set[str]:
        request = InferImageDependencies(self.field_set(address))
        dependencies = self.runner.request(InferredDependencies, (request,))
        return {each.spec for each in dependencies.include}

    def keeper(self) -> SessionKeeper:
        """What outlives sessions."""
        return self.runner.request(SessionKeeper, ())

    def confirm(self, *references: str, was_pushed: bool = False) -> ImageConfirmation:
        """What registries say of these pinned references."""
        parsed = tuple(ImageReference.parse(each) for each in references)
        request = ConfirmationRequest(parsed, was_pushed)
        return self.runner.request(ImageConfirmation, (request,))

    def begin_session(self) -> None:
        """What Pants does before it looks for targets."""
        self.runner.request(WorkunitsCallbackFactory, [SessionCallbackFactoryRequest()])

    def package(self, address: str) -> BuiltPackage:
        """Build an image."""
        return self.runner.request(BuiltPackage, (self.field_set(address),))

    def publish(
        self,
        address: str,
        digest: OciDigest,
        *references: str,
        layout: Mapping[str, bytes] | None = None,
        platforms: Iterable[PlatformImage] = (),
        provenance: bytes = b"",
    ) -> PublishProcesses:
        """What the goal is told to do for an image that was packaged."""
        tree, size = EMPTY_DIGEST, 0
        if layout is not None:
            size = len(layout.get(blob_name(digest), b""))
            files = [FileContent(path, content) for path, content in layout.items()]
            tree = self.runner.request(Digest, (CreateDigest(files),))
        subject = Descriptor(MediaType.OCI_IMAGE_INDEX.value, digest, size)
        image = BuiltBuildKitImage(
            relpath=None,
            image_id="",
            tags=references,
            image_digest=digest,
            references=references,
            layout=tree,
            platforms=tuple(platforms),
            provenance=provenance_referrer(subject, provenance) if provenance else None,
        )
        field_set = PublishImageFieldSet.create(self.target(address))
        request = PublishImageRequest(field_set, (BuiltPackage(EMPTY_DIGEST, (image,)),))
        return self.runner.request(PublishProcesses, (request,))

    def published_names(self, address: str) -> PublishedNames:
        """The names that an image gets when it is published."""
        request = self.field_set(address)
        return self.runner.request(PublishedNames, (request,))

    def failure(self, address: str, *, of_build: bool = False) -> str:
        """What the user reads when an image cannot be defined, or cannot be built."""
        try:
            if of_build:
                self.package(address)
            else:
                self.definition(address)
        except ExecutionError as e:
            return "\n".join(str(each) for each in e.wrapped_exceptions)
        raise AssertionError(f"{address} is as it must be")


def all_dependencies(field: Dependencies) -> DependenciesRequest:
    """Asks for what `dependents` knows: also for targets that fields other than this one name."""
    if hasattr(pants_target, "AlwaysTraverseDeps"):
        return DependenciesRequest(field, pants_target.AlwaysTraverseDeps())
    return DependenciesRequest(field, include_special_cased_deps=True)  # Pants 2.17


def run_in_foreground(process: InteractiveProcess) -> subprocess.CompletedProcess[str]:
    """Run what a goal would run in the foreground."""
    return subprocess.run(
        process.process.argv,
        env=dict(process.process.env),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
