"""How is a failed build repeated by hand? With a script beside its context.

It runs buildx with what Pants ran it with, but for credentials, which are the user's own, caches
that are imported, and where the result goes: nothing is exported or pushed. With the word `shell`
it opens a shell in the step that fails, by buildx' debugger, which is experimental.
"""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from pants_docker_buildkit.buildx.command import BuildCommand, render_arguments
from pants_docker_buildkit.buildx.user_policy import POLICY_VARIABLE
from pants_docker_buildkit.solver.input_tree import ROOT
from pants_docker_buildkit.solver.workplace import Workplace

SCRIPT = "again.sh"
REPEAT_BY_HAND = (
    "To repeat it by hand, run this with --keep-sandboxes=on_failure, and then"
    f" '{ROOT}/{SCRIPT}' in the directory that Pants keeps. '{ROOT}/{SCRIPT} shell' opens a shell"
    " in the step that failed."
)

# buildx 0.29 needs to be told that it may be experimental. The shell is that of the image.
_DEBUGGER = ("debug", "--on=error", "--invoke=/bin/sh")
_POLICY_FILE = "source-policy.json"
_OF_THE_ENGINE = ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH")


def write_repetition(
    command: BuildCommand, workplace: Workplace, secrets: Mapping[str, str]
) -> None:
    """Leave the script where the build ran, with no secret in it.

    `secrets` are the IDs of those that are values, by the variable that buildx finds each in.
    """
    environment = workplace.docker.environment
    shutil.copyfile(environment[POLICY_VARIABLE], workplace.inputs / _POLICY_FILE)
    exported = {name: environment[name] for name in _OF_THE_ENGINE if environment.get(name)}
    if workplace.own_buildx_config is not None:
        exported["BUILDX_CONFIG"] = workplace.own_buildx_config
    exported[POLICY_VARIABLE] = _POLICY_FILE
    repeated = replace(
        command,
        metadata_file="metadata.json",
        builder=workplace.users_builder_name,
        # Steps get the proxies that plain buildx gives them.
        inherited_build_args=(),
        cache_from=(),
        cache_to=(),
        outputs=("type=cacheonly",),
    )
    rendered = render_arguments(repeated, progress="plain")
    script = workplace.inputs / SCRIPT
    plain = workplace.docker.typed(rendered)
    buildx, *build = rendered
    debugged = workplace.docker.typed((buildx, *_DEBUGGER, *build))
    script.write_text("\n".join(_lines(exported, secrets, plain, debugged)))
    script.chmod(0o700)


def _lines(
    exported: Mapping[str, str],
    secrets: Mapping[str, str],
    plain: Iterable[str],
    debugged: Iterable[str],
) -> Iterator[str]:
    yield "#!/bin/sh"
    yield 'cd "$(dirname "$0")" || exit'
    for name, value in exported.items():
        yield f"export {name}={shlex.quote(value)}"
    for variable, identity in secrets.items():
        yield f': "${{{variable}:?must be the secret {shlex.quote(identity)}}}"'
        yield f"export {variable}"
    yield 'if [ "$1" = shell ]; then'
    yield "  export BUILDX_EXPERIMENTAL=1"
    yield f"  exec {shlex.join(debugged)}"
    yield "fi"
    yield f"exec {shlex.join(plain)}"
    yield ""
