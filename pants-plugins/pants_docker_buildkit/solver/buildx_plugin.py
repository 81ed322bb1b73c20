"""Which buildx does the Docker CLI start? Asked once in a session, to start it without the CLI.

For each command, the CLI starts buildx twice: to ask for its metadata, and for what is wanted. That
and its own start take more of the processor than a small build.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path

from pants_docker_buildkit.session.directory import scratch_directory
from pants_docker_buildkit.solver.docker_cli import BuildxPlugin, DockerCli
from pants_docker_buildkit.solver.docker_config import CONFIG_FILE, PLUGIN_DIRECTORIES
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
_LISTED = "{{json .ClientInfo.Plugins}}"
_SCRIPT = b"#!"


def with_plugin(docker: DockerCli, session: Path) -> DockerCli:
    """The CLI with the buildx that it starts, if that is known for sure.

    `docker` has a private configuration.
    """
    if docker.is_standalone_buildx or _is_script(docker.binary):
        return docker
    known = json.loads(remember(session, "plugin", docker.binary, lambda: _ask(docker, session)))
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


def _ask(docker: DockerCli, session: Path) -> str:
    """What the CLI says of the buildx that it starts, in JSON. It needs no engine for that."""
    own = Path(docker.environment["DOCKER_CONFIG"])
    with scratch_directory(session) as scratch:
        plugins = scratch / "plugins"
        plugins.mkdir()
        probe = plugins / f"docker-{_PROBE}"
        probe.write_text(_PROBE_SCRIPT)
        probe.chmod(0o700)
        users = json.loads((own / CONFIG_FILE).read_text()).get(PLUGIN_DIRECTORIES)
        directories = [*(users if isinstance(users, list) else ()), str(plugins)]
        (scratch / CONFIG_FILE).write_text(json.dumps({PLUGIN_DIRECTORIES: directories}))
        linked = own / "cli-plugins"
        if linked.exists():
            (scratch / linked.name).symlink_to(linked.resolve())
        asked = docker.with_environment({"DOCKER_CONFIG": str(scratch)})
        listed = asked.ask("info", "--format", _LISTED).stdout
        plugin = find_plugin(listed, os.path.realpath(docker.binary))
    return json.dumps(None if plugin is None else asdict(plugin))


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
