"""`pants lint` runs BuildKit's checks, and its results are cached."""

from __future__ import annotations

from tests.integration.workbench.machine import Machine, repository_settings
from tests.integration.workbench.registry import Registry

LINT = ("lint", "--only=dockerfile-checks", "::")
NOWHERE = {"DOCKER_HOST": "unix:///nonexistent/docker.sock"}


def test_buildkit_checks_all_stages_and_is_asked_once(
    machine: Machine, registry: Registry, repository: str, busybox: str
) -> None:
    checkout = machine.checkout(
        "checkout",
        {
            "pants.toml": repository_settings(registry.address, repository),
            ".dockerignore": "app/secret.txt\n",
            "app/BUILD": "docker_buildkit_image(name='image')\n"
            "docker_buildkit_image(name='other', source='Other',"
            " build_contexts={'context': ':image'})\n"
            "docker_buildkit_image(name='strict', source='Strict, or not')\n"
            "docker_buildkit_image(name='skipped', source='Skipped',"
            " skip_dockerfile_checks=True)\n"
            "docker_buildkit_image(name='empty', source='Empty',"
            " extra_build_args=['BASE=scratch'])\n",
            "app/Dockerfile": f"# check=experimental=all\nFROM {busybox} AS One\n"
            "FROM scratch\nCOPY app/secret.txt /x\n",
            # No image is built for what a base is, nor for that of a stage that nothing needs. An
            # address that is no name of an image is no finding, either.
            "app/Other": "# check=skip=SecretsUsedInArgOrEnv\nARG BASE=:image\nARG SAME=$BASE\n"
            "FROM context AS unused\nFROM $SAME AS spare\nFROM $BASE\n"
            "ENV PASSWORD=1\n",
            "app/Strict, or not": "# check=error=true\nFROM scratch\nCMD a\n",
            "app/Empty": "ARG BASE\nFROM $BASE\n",
            "app/Skipped": "from scratch\nENV PASSWORD=1\n",
        },
    )
    run = checkout.pants(*LINT, pantsd=True, may_fail=True)
    assert run.exit_code == 1
    assert "Completed: Check Dockerfiles with BuildKit" in run.output
    assert "app/Dockerfile:2: StageNameCasing: Stage name 'One' should be lowercase" in run.output
    assert "app/Dockerfile:4: CopyIgnoredFile:" in run.output
    assert "app/Strict, or not:3: JSONArgsRecommended:" in run.output
    assert "app/Other:" not in run.output
    assert "app/Empty:2: InvalidDefaultArgInFrom:" in run.output
    assert "app/Skipped" not in run.output
    assert all("--call" in call for call in run.builds)

    github = ("--dockerfile-checks-format=github", *LINT)
    run = checkout.pants(*github, pantsd=True, may_fail=True, env=NOWHERE)
    assert "::warning file=app/Dockerfile,line=2,title=StageNameCasing::Stage name" in run.output
    assert "::warning file=app/Strict%2C or not,line=3,title=JSONArgs" in run.output
    assert run.docker_calls == ()

    checkout.replace("app/Strict, or not", "CMD a", "LABEL a=b")
    checkout.replace("app/Dockerfile", "AS One", "AS one")
    run = checkout.pants(*LINT, pantsd=True, may_fail=True, env=NOWHERE)
    assert run.exit_code == 1
    assert "app:image was not checked: Building needs BuildKit, but the Docker Engine" in run.output
    assert "app:other was not checked" not in run.output

    checkout.replace("app/Dockerfile", "COPY app/secret.txt /x", "LABEL a=b")
    checkout.replace("app/Empty", "ARG BASE", "ARG BASE=scratch")
    assert checkout.pants(*LINT, pantsd=True).exit_code == 0

    # A Dockerfile that comes back, as with another branch.
    path = checkout.directory / "app/Dockerfile"
    content = path.read_bytes()
    path.unlink()
    run = checkout.pants(*LINT, pantsd=True, may_fail=True)
    assert "app:image was not checked: The `source` field" in run.output
    path.write_bytes(content)
    assert checkout.pants(*LINT, pantsd=True).exit_code == 0
