"""Does a source policy that the user set allow what a build reads?"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pants.base.build_environment import get_buildroot
from pants.engine.addresses import Address
from pants.engine.env_vars import EnvironmentVarsRequest

from pants_docker_buildkit.buildx.user_policy import (
    POLICY_VARIABLE,
    InvalidUserPolicyError,
    UserPolicy,
    parse_user_policy,
)
from pants_docker_buildkit.compat import environment_vars_subset, implicitly, uncacheable_rule
from pants_docker_buildkit.errors import DeniedSourceError, InvalidUserPolicyFileError
from pants_docker_buildkit.solver.definition import PinnedSource


@dataclass(frozen=True)
class FoundUserPolicy:
    """The policy that the environment names, empty where it names none, and its file."""

    policy: UserPolicy
    file: str = ""

    def check(self, address: Address, sources: Iterable[PinnedSource]) -> None:
        """Raise `DeniedSourceError` for what it denies, under its name or as it was pinned."""
        for source in sources:
            for identifier in (source.identifier, source.pinned):
                selector = self.policy.denying_selector(identifier)
                if selector is not None:
                    raise DeniedSourceError(address, identifier, self.file, selector)


@uncacheable_rule(desc="Read source policy of the user")
async def find_user_policy() -> FoundUserPolicy:
    # In each session, because Pants notices no change of a file elsewhere.
    variables = await environment_vars_subset(
        EnvironmentVarsRequest((POLICY_VARIABLE,)), **implicitly()
    )
    file = variables.get(POLICY_VARIABLE)
    if not file:
        return FoundUserPolicy(UserPolicy())
    try:
        text = Path(get_buildroot(), os.path.expanduser(file)).read_bytes()
        return FoundUserPolicy(parse_user_policy(text), file)
    except OSError as e:
        requirement, finding = "be a file that can be read", f"{e.strerror}"
        raise InvalidUserPolicyFileError(file, requirement, finding) from e
    except InvalidUserPolicyError as e:
        raise InvalidUserPolicyFileError(file, e.requirement, e.finding) from e
