"""The README shows what really happens: its files, run by its commands, print its output."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

from tests.integration.workbench.machine import Machine
from tests.integration.workbench.ready_pants import Python, ready_pants_command
from tests.integration.workbench.registry import Registry
from tests.integration.workbench.required import (
    pants_configuration,
    pants_version,
    plugin_wheel,
)

README = Path(__file__).parents[2] / "README.md"

_FILE = re.compile(r"^`(?P<name>[^`\n]+)`\n```\w+\n(?P<content>.*?)^```$", re.MULTILINE | re.DOTALL)
_CONSOLE = re.compile(r"^```console\n(?P<content>.*?)^```$", re.MULTILINE | re.DOTALL)
_TIME = re.compile(r"^\d\d:\d\d:\d\d\.\d\d ", re.MULTILINE)
_DAEMON = re.compile(r"^.*(?:Initializing scheduler\.\.\.|Scheduler initialized\.)\n", re.MULTILINE)
_VERSION = re.compile(r'^pants_version = ".*"$', re.MULTILINE)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def test_the_readme_shows_what_its_commands_print(machine: Machine, registry: Registry) -> None:
    readme = README.read_text().replace("localhost:5000", registry.address)
    readme = _VERSION.sub(f'pants_version = "{pants_version()}"', readme)
    files = {match["name"]: match["content"] for match in _FILE.finditer(readme)}
    assert sorted(files) == ["pants.toml", "src/app/BUILD", "src/app/Dockerfile"]
    files["src/app/hello.txt"] = "Hello.\n"
    checkout = machine.checkout("checkout", files)
    programs = machine.directory / "programs"
    programs.mkdir()
    command = shlex.join(ready_pants_command(Python(has_plugin=False)))
    (programs / "pants").write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    (programs / "pants").chmod(0o755)
    # Where the wheel is that has no release yet.
    wheels = machine.directory / "wheels.toml"
    wheels.write_text(f'[python-repos]\nfind_links = ["file://{plugin_wheel().parent}"]\n')
    environment = {
        **checkout.environment,
        "PATH": f"{programs}:{machine.environment['PATH']}",
        "PANTS_ANONYMOUS_TELEMETRY_ENABLED": "false",
        "PANTS_DYNAMIC_UI": "false",
        "PANTS_CONFIG_FILES": f"+['{pants_configuration()}', '{wheels}']",
    }
    shown = "".join(match["content"] for match in _CONSOLE.finditer(readme))
    printed = []
    for command in re.findall(r"^\$ (.*)$", shown, re.MULTILINE):
        run = subprocess.run(
            ["/bin/sh", "-c", command],
            cwd=checkout.directory,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stdout
        printed.append(f"$ {command}\n{run.stdout}")
    assert comparable("".join(printed)) == comparable(shown)


def comparable(text: str) -> str:
    """Without times and what a daemon says of its start, and with digests numbered.

    Which ones are equal is part of what is shown.
    """
    numbers: dict[str, int] = {}
    text = _DIGEST.sub(lambda m: f"sha256:{numbers.setdefault(m[0], len(numbers))}", text)
    return _TIME.sub("", _DAEMON.sub("", text))
