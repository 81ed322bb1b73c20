"""Which buildx does the Docker CLI start? Asked once an hour, to start it without the CLI.

For each command, the CLI starts buildx twice: to ask for its metadata, and for what is wanted. That
and its own start take more of the processor than a small build.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pants_docker_buildkit.oci.json_values import decode_json
from pants_docker_buildkit.registry.credentials import DOCKER_CONFIG_FILE
from pants_docker_buildkit.session.directory import scratch_directory, write_private
from pants_docker_buildkit.solver.docker_cli import BuildxPlugin, DockerCli
from pants_docker_buildkit.solver.docker_config import PLUGIN_DIRECTORIES
from pants_docker_buildkit.solver.engine_search import read_docker_config
from pants_docker_buildkit.solver.remembered import remember

_NAME = "buildx"
_PROBE = "pantsprobe"
# `docker` may be a wrapper, as a script or as a binary, that does something for each command. So a
# plugin of ours says of which program the process is that asks it.
_PROBE_SCRIPT = """\
#!/bin/sh
program=$(readlink "/proc/$PPID/exe")
printf '{"SchemaVersion": "0.1.0", "Vendor": "Pants", "Version": "%s"}' "$program"
"""
_PLUGINS = "cli-plugins"
_LISTED = "{{json .ClientInfo.Plugins}}"
_SCRIPT = b"#!"

_KEPT_FILE = "buildx-plugin.json"
"""What was asked last, beside the directories of sessions, where only the user may write."""

_KEPT_SECONDS = 3600.0
# Of the CLI, besides those of the user: `cli-plugins/manager/manager_unix.go` of docker/cli.
_SYSTEM_DIRECTORIES = tuple(
    f"/usr/{each}/docker/cli-plugins" for each in ("local/lib", "local/libexec", "lib", "libexec")
)


@dataclass(frozen=True)
class _Kept:
    """What was answered at a `time`, in seconds since the epoch, and `_states` of all it is of."""

    time: float
    states: Any
    plugin: BuildxPlugin


def with_plugin(docker: DockerCli, session: Path) -> DockerCli:
    """The CLI with the buildx that it starts, if that is known for sure.

    `docker` has a private configuration.
    """
    if docker.is_standalone_buildx or _is_script(docker.binary):
        return docker

    def find() -> str:
        plugin = _find(docker, session)
        return json.dumps(plugin and asdict(plugin))

    known = json.loads(remember(session, "plugin", docker.binary, find))
    # One that went away since has `docker` say so.
    if known is None or not os.access(known["path"], os.X_OK):
        return docker
    return docker.with_plugin(BuildxPlugin(**known))


def _is_script(binary: str) -> bool:
    """Whether it is a wrapper for sure, which is not to be asked."""
    try:
        with open(binary, "rb") as file:
            return file.read(len(_SCRIPT)) == _SCRIPT
    except OSError:
        # Not for us to read, or not there any more.
        return True


def _find(docker: DockerCli, session: Path) -> BuildxPlugin | None:
    """The buildx that the CLI starts.

    The CLI is not asked again while it, that buildx, and what else is in the directories where the
    CLI looks for one are as they were.
    """
    linked = Path(docker.environment["DOCKER_CONFIG"]) / _PLUGINS
    of_user = [os.path.realpath(linked)] if linked.exists() else []
    asked = _states(
        [docker.binary, *map(str, _users_directories(docker)), *of_user, *_SYSTEM_DIRECTORIES]
    )
    kept = session.parent / _KEPT_FILE
    with suppress(OSError, ValueError):
        known = decode_json(_Kept, kept.read_bytes())
        states = [asked, _states([known.plugin.path])]
        if 0 <= time.time() - known.time < _KEPT_SECONDS and known.states == states:
            return known.plugin
    plugin = _ask(docker, session)
    if plugin is not None:
        states = [asked, _states([plugin.path])]
        with suppress(OSError):
            answered = _Kept(time.time(), states, plugin)
            write_private(kept, json.dumps(asdict(answered)).encode())
    return plugin


def _states(paths: Iterable[str]) -> list[list[object]]:
    """What changes when somebody changes a file, or what is in a directory."""
    states: list[list[object]] = []
    for path in paths:
        try:
            found = os.stat(path)
        except OSError:
            states.append([path])
        else:
            states.append([path, found.st_dev, found.st_ino, found.st_size, found.st_ctime_ns])
    return states


def _users_directories(docker: DockerCli) -> list[object]:
    """Where the user says that plugins are, too."""
    found = read_docker_config(docker.environment).get(PLUGIN_DIRECTORIES)
    return list(found) if isinstance(found, list) else []


def _ask(docker: DockerCli, session: Path) -> BuildxPlugin | None:
    """What the CLI says of the buildx that it starts. It needs no engine for that."""
    with scratch_directory(session) as scratch:
        plugins = scratch / "plugins"
        plugins.mkdir()
        probe = plugins / f"docker-{_PROBE}"
        probe.write_text(_PROBE_SCRIPT)
        probe.chmod(0o700)
        directories = [*_users_directories(docker), str(plugins)]
        (scratch / DOCKER_CONFIG_FILE).write_text(json.dumps({PLUGIN_DIRECTORIES: directories}))
        linked = Path(docker.environment["DOCKER_CONFIG"]) / _PLUGINS
        if linked.exists():
            (scratch / linked.name).symlink_to(linked.resolve())
        asked = docker.with_environment({"DOCKER_CONFIG": str(scratch)})
        listed = asked.ask("info", "--format", _LISTED).stdout
        return find_plugin(listed, os.path.realpath(docker.binary))


def find_plugin(listed: str, program: str) -> BuildxPlugin | None:
    """The buildx in what `docker info` lists, if it is `program` itself that starts plugins."""
    try:
        plugins = {each["Name"]: each for each in json.loads(listed)}
        buildx, probe = plugins[_NAME], plugins[_PROBE]
        is_sure = probe["Version"] == program and os.path.isabs(buildx["Path"])
        # What a configuration of ours links to is there for longer than the link.
        directory, name = os.path.split(buildx["Path"])
        found = BuildxPlugin(os.path.join(os.path.realpath(directory), name), buildx["Version"])
    except (ValueError, TypeError, LookupError):
        return None
    # A plugin that the CLI has objections to, it does not start.
    return found if is_sure and "Err" not in buildx else None
