"""Images that nobody builds are signed and verified, in a registry without an API for referrers."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path

from tests.integration.conftest import Machines
from tests.integration.workbench.machine import repository_settings
from tests.integration.workbench.registry import OwnRegistry
from tests.integration.workbench.required import cosign_program

TARGET = "app:image"
SECRET = "correct horse battery staple"


def cosign(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(cosign_program()), *arguments],
        cwd=cwd,
        env={"HOME": "/nonexistent", "PATH": "/usr/bin:/bin", "COSIGN_PASSWORD": SECRET},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_is_published_is_signed_and_verified_before_it_is_used(
    machines: Machines, own_registry: OwnRegistry, repository: str
) -> None:
    settings = (
        "[docker-buildkit-signatures]\nrequire_signed = true\n"
        f"cosign = '{cosign_program()}'\n"
        f"[docker-buildkit-signatures.verify.'{own_registry.address}/*']\nkey = 'cosign.pub'\n"
    )
    files = {
        "pants.toml": repository_settings(own_registry.address, repository, settings),
        "app/BUILD": "docker_buildkit_image(name='image', image_tags=['latest'])\n"
        "docker_buildkit_image_refs(name='refs', images={'APP': ':image'}, format='env')\n",
        "app/Dockerfile": f"FROM scratch\nLABEL a={repository}\n",
    }
    machine = machines.new("one")
    checkout = machine.checkout("checkout", files)
    made = cosign("generate-key-pair", "--output-key-prefix", "cosign", cwd=checkout.directory)
    assert made.returncode == 0, made.stderr
    private = (checkout.directory / "cosign.key").read_text()
    (checkout.directory / "cosign.key").unlink()

    refused = checkout.pants("package", "app:refs", may_fail=True)
    assert (refused.exit_code, len(refused.builds)) == (1, 1)
    assert "app:image, which app:refs refers to, must be signed" in refused.output
    assert "Nothing beside it is a signature." in refused.output
    assert (
        "which is to be run, must be signed" in checkout.pants("run", TARGET, may_fail=True).output
    )

    signs = {
        "PANTS_DOCKER_BUILDKIT_SIGNATURES_KEY": "env=SIGNING_KEY",
        "PANTS_DOCKER_BUILDKIT_PROVENANCE": "true",
        "SIGNING_KEY": private,
        "COSIGN_PASSWORD": SECRET,
    }
    calls = len(machine.docker_calls())
    run = checkout.pants("package", "publish", TARGET, env=signs)
    (reference,) = json.loads(checkout.record(TARGET))["references"]
    assert f"✓ {reference} signed." in run.output
    options = ("--allow-http-registry", "--insecure-ignore-tlog=true", "--key=cosign.pub")
    done = cosign("verify", *options, reference, cwd=checkout.directory)
    assert done.returncode == 0, done.stderr
    command = ("verify-attestation", "--type=slsaprovenance1", *options, reference)
    done = cosign(*command, cwd=checkout.directory)
    assert done.returncode == 0, done.stderr
    payload = json.loads(base64.b64decode(json.loads(done.stdout)["payload"]))
    assert payload["predicate"]["buildDefinition"]["externalParameters"]["target"] == TARGET
    again = checkout.pants("package", "publish", "app:", env=signs)
    assert "signed" not in again.output
    assert again.builds == []
    assert len(machine.docker_calls()) == calls
    # Neither the key nor its password is anywhere that Pants writes to.
    for secret in (private.splitlines()[2], SECRET):
        assert not holds(machine.local_store.parent, secret)
        assert not holds(checkout.directory, secret)


def holds(directory: Path, text: str) -> bool:
    """Whether any file below a directory has this text."""
    found = subprocess.run(["grep", "-rqF", "-e", text, str(directory)], check=False)
    return found.returncode == 0
