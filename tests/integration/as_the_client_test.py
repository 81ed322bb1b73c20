"""What `docker` and buildx take from the user's machine by themselves, a build takes as well."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
from collections.abc import Mapping
from pathlib import Path

from pants_docker_buildkit.testing.processes import SOON
from tests.integration.workbench.base_image import plain_docker
from tests.integration.workbench.machine import Machine, repository_settings
from tests.integration.workbench.registry import Registry

HOSTS = "extra_build_hosts={'me': 'host-gateway', 'db': '10.0.0.1'}"
# An image would have no address of the machine in it, so a step looks at it.
LOOKS = "RUN grep -E '^[0-9.]+[[:space:]]+me$' /etc/hosts | grep -v 10.0.0.1 | tee /address\n"


def test_the_machine_of_the_engine_has_a_name_on_every_output(
    machine: Machine, registry: Registry, repository: str, busybox: str
) -> None:
    checkout = machine.checkout(
        "checkout",
        {
            "pants.toml": repository_settings(registry.address, repository),
            "app/BUILD": f"docker_buildkit_image(name='image', {HOSTS})\n"
            f"docker_buildkit_image(name='layout', output='oci', {HOSTS})\n"
            f"docker_buildkit_image(name='local', output='docker', repository='local/{repository}',"
            f" {HOSTS})\n",
            # In lower case, as buildx takes it where there is no other.
            "app/dockerfile": f"FROM {busybox}\n{LOOKS}",
        },
    )
    checkout.pants("package", "::")


def type_into_shell(script: Path, environment: Mapping[str, str], line: str) -> str:
    """What a terminal shows where the script opens a shell in the step that fails."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [script, "shell"], env=environment, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    shown, answered = "", 0
    # To the shell, to the shell again, and to the debugger.
    talk = [("/ # ", f"{line}\n"), ("/ # ", "exit\n"), ("(buildx) ", "exit\n")]
    try:
        while select.select([ours], [], [], SOON)[0]:
            shown += os.read(ours, 4096).decode("utf-8", "replace")
            if talk and talk[0][0] in shown[answered:]:
                answered = len(shown)
                os.write(ours, talk.pop(0)[1].encode())
    except OSError:
        # Linux says so when nobody has the other side any more.
        pass
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    assert not talk, f"nothing more happened: {shown}"
    return shown


def test_a_build_has_its_targets_name_and_a_failed_one_is_repeated_by_hand(
    machine: Machine, registry: Registry, repository: str, busybox: str
) -> None:
    checkout = machine.checkout(
        "checkout",
        {
            "pants.toml": repository_settings(registry.address, repository),
            f"{repository}/BUILD": "docker_buildkit_image(name='image', image_labels={'a': 'b c'})",
            f"{repository}/Dockerfile": f"FROM {busybox}\n"
            f"RUN echo {repository} | tee /tried && false\n",
        },
    )
    failed = checkout.pants(
        "--keep-sandboxes=on_failure",
        f"--local-execution-root-dir={machine.directory}",
        "package",
        "::",
        may_fail=True,
    )
    assert failed.exit_code != 0
    assert "and then 'build/again.sh' in the directory that Pants keeps" in failed.output
    (script,) = machine.directory.glob("pants-sandbox-*/build/again.sh")
    assert str(script.parent.parent) in failed.output
    again = subprocess.run(
        [script], env=machine.environment, capture_output=True, text=True, check=False
    )
    assert again.returncode != 0
    assert f'echo {repository} | tee /tried && false" did not complete' in again.stderr
    assert f"{repository}\r\n" in type_into_shell(script, machine.environment, "cat /tried")
    dockerfile = script.parent / "dockerfile" / "Dockerfile"
    dockerfile.write_text(dockerfile.read_text().replace("&& false", ""))
    subprocess.run([script], env=machine.environment, capture_output=True, check=True)

    listed = plain_docker("buildx", "history", "ls", "--format", "{{json .}}")
    names = [json.loads(line)["name"] for line in listed.splitlines()]
    assert f"{repository}:image" in names
