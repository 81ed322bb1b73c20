"""What a job and its settings become. Whole commands are in `tests/golden/buildx`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pants_docker_buildkit.buildx.builder import Builder
from pants_docker_buildkit.buildx.command import BuildCommand, render_arguments
from pants_docker_buildkit.buildx.user_policy import POLICY_VARIABLE
from pants_docker_buildkit.registry.rules_of_registries import RegistryRule
from pants_docker_buildkit.registry.settings import Reach, RegistrySettings
from pants_docker_buildkit.session.directory import PROGRESS_FILE
from pants_docker_buildkit.session.profile import BuildSettings
from pants_docker_buildkit.session.questions import BuildSecret, SessionClient
from pants_docker_buildkit.solver import deadline
from pants_docker_buildkit.solver.build import build_command, build_image
from pants_docker_buildkit.solver.deadline import Deadline
from pants_docker_buildkit.solver.definition import (
    BuildDefinition,
    BuildJob,
    ContextKind,
    NamedContext,
)
from pants_docker_buildkit.solver.docker_cli import DockerCli
from pants_docker_buildkit.solver.errors import (
    BuildFailedError,
    BuildTimeoutError,
    TestsTimeoutError,
    UnknownBuilderError,
)
from pants_docker_buildkit.solver.input_tree import DOCKERFILE
from pants_docker_buildkit.solver.repetition import REPEAT_BY_HAND
from pants_docker_buildkit.solver.result import BuildResult
from pants_docker_buildkit.solver.testing.fake_docker import FakeDocker
from pants_docker_buildkit.solver.workplace import Workplace
from pants_docker_buildkit.testing.processes import SOON

BUILD = "blake3:" + "1" * 64
SHA = "sha256:" + "a" * 64
DEFINITION = BuildDefinition("d" * 64, "blake3:" + "c" * 64, ("linux/amd64",), "registry")
JOB = BuildJob(BUILD, DEFINITION, ("localhost:5000/app", "ghcr.io/org/app"))
SETTINGS = BuildSettings(target="src/app:image")
WITHOUT_TAGS = RegistrySettings(has_digest_tags=False)
NO_SESSION = SessionClient(Path("/nowhere"))
METADATA: dict[str, Any] = {
    "containerimage.descriptor": {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": SHA,
        "size": 475,
    },
    "containerimage.config.digest": "sha256:" + "b" * 64,
}


def workplace(
    docker: DockerCli, directory: Path, session: SessionClient = NO_SESSION, nodes: int = 1
) -> Workplace:
    builder = Builder("far", "remote", "tcp://far:1", True, False, node_platforms=((),) * nodes)
    docker = docker.with_environment({POLICY_VARIABLE: os.devnull, **docker.environment})
    place = Workplace(docker, builder, None, directory / "build", directory, session)
    registries = (("localhost:5000", WITHOUT_TAGS), ("ghcr.io", WITHOUT_TAGS))
    return replace(place, reach=Reach(registries=registries), attempt="first")


def command(
    job: BuildJob,
    settings: BuildSettings = SETTINGS,
    registries: tuple[tuple[str, RegistrySettings], ...] = (),
    nodes: int = 1,
) -> BuildCommand:
    nowhere = workplace(DockerCli("docker", {}), Path("/nowhere"), nodes=nodes)
    nowhere = replace(nowhere, reach=Reach(registries=registries))
    return build_command(job, settings, nowhere, Path("metadata.json"))


def redefined(**members: Any) -> BuildJob:
    return replace(JOB, definition=replace(DEFINITION, **members))


def test_buildx_is_told_no_platform_where_the_image_gets_that_of_its_base() -> None:
    assert command(JOB).platforms == ("linux/amd64",)
    assert "--platform" not in render_arguments(command(redefined(platform_of_base="linux/arm64")))


@pytest.fixture
def docker(tmp_path: Path) -> FakeDocker:
    (tmp_path / "build" / DOCKERFILE).parent.mkdir(parents=True)
    (tmp_path / "build" / DOCKERFILE).write_text("FROM scratch\n")
    return FakeDocker(tmp_path / "bin")


def prepare_build(docker: FakeDocker, metadata: str, **answer: Any) -> None:
    """Make `docker` write this metadata file when it builds."""
    path = docker.directory / "metadata"
    path.write_text(metadata)
    find_flag = 'while [ "$1" != --metadata-file ]; do shift; done'
    docker.answer("buildx build", run=f'{find_flag}; cat {path} >"$2"', **answer)


def test_buildx_keeps_the_lock_of_the_contexts(docker: FakeDocker, tmp_path: Path) -> None:
    with open(tmp_path / "lock", "w") as lock:
        docker.answer("buildx build", run=f"readlink /proc/self/fd/{lock.fileno()}; exit 1")
        place = replace(workplace(docker.cli(), tmp_path), lock=lock.fileno())
        with pytest.raises(BuildFailedError, match=f"{tmp_path}/lock"):
            build_image(JOB, SETTINGS, place)


TWO_PLATFORMS = ("linux/amd64", "linux/arm64")


@pytest.mark.parametrize(
    ("platforms", "nodes"), [(("linux/amd64",), 2), (TWO_PLATFORMS, 1)], ids=["one", "several"]
)
def test_an_image_goes_to_all_its_repositories_by_its_digest(
    platforms: tuple[str, ...], nodes: int
) -> None:
    (output,) = command(redefined(platforms=platforms), nodes=nodes).outputs
    assert '"name=localhost:5000/app,ghcr.io/org/app",push=true,push-by-digest=true' in output


def test_what_several_nodes_build_is_put_together_under_a_tag_of_this_build_alone() -> None:
    (output,) = command(redefined(platforms=TWO_PLATFORMS), nodes=2).outputs
    assert '"name=localhost:5000/app:build-first,ghcr.io/org/app:build-first",push=true' in output
    assert "push-by-digest" not in output


def test_an_image_for_the_local_engine_is_kept_by_a_tag_that_names_its_build() -> None:
    (output,) = command(replace(redefined(output="docker"), repositories=("app",))).outputs
    assert output == f"type=docker,name=app:build-{'1' * 32}"


@pytest.mark.parametrize("output", ["registry", "oci"])
def test_what_leaves_the_builder_has_oci_media_types_and_no_times_if_it_is_reproducible(
    output: str,
) -> None:
    (plain,) = command(redefined(output=output)).outputs
    assert plain.endswith("oci-mediatypes=true")
    (rendered,) = command(redefined(output=output, reproducible=True)).outputs
    assert rendered.endswith("oci-mediatypes=true,rewrite-timestamp=true")


def test_the_layout_beside_a_tar_leaves_no_layers_that_other_images_would_not_have() -> None:
    """BuildKit takes layers that it has for any image with the same steps, however compressed."""
    tar, layout = command(redefined(output="tar")).outputs
    assert tar.startswith("type=tar,")
    assert layout.startswith("type=oci,")
    assert "compression" not in layout


def test_buildx_has_to_obey_each_policy() -> None:
    policies = (("dockerfile/Dockerfile.rego", "a"), ("policies/0/company.rego", "b"))
    assert command(redefined(policies=policies)).policies == (
        "strict=true",
        "filename=cwd://policies/0/company.rego,strict=true",
    )


def test_the_steps_get_a_host_whose_name_changes_with_the_secrets_that_count() -> None:
    hashes = [(), (("a", "1"),), (("a", "2"),), (("b", "1"),), (("a", "1"), ("b", "1"))]
    hosts = [command(redefined(secret_hashes=each)).extra_hosts for each in hashes]
    assert len(set(hosts)) == len(hashes)
    assert all(len(name.partition(".")[0]) <= 63 for ((name, _),) in hosts[1:])


def test_the_steps_get_a_host_whose_name_changes_with_the_address_of_another() -> None:
    first, second = (
        command(redefined(extra_hosts=(("db", address),))).extra_hosts
        for address in ("10.0.0.1", "10.0.0.2")
    )
    assert (first[0], second[0]) == (("db", "10.0.0.1"), ("db", "10.0.0.2"))
    assert first[1][0] != second[1][0]


def test_inline_cache_is_exported_first_and_imported_from_a_moving_tag_of_each_repository() -> None:
    settings = replace(SETTINGS, cache_from=("type=gha",), cache_to=("type=gha,mode=max",))
    built = command(redefined(inline_cache=True), settings)
    assert built.cache_to == ("type=inline", "type=gha,mode=max")
    assert built.cache_from == (
        "type=gha",
        "type=registry,ref=localhost:5000/app:buildcache",
        "type=registry,ref=ghcr.io/org/app:buildcache",
    )
    assert "buildcache" not in built.outputs[0]


def test_no_inline_cache_is_imported_from_where_tags_cannot_move() -> None:
    registries = (("ghcr.io", RegistrySettings(has_immutable_tags=True)),)
    built = command(redefined(inline_cache=True), registries=registries)
    assert built.cache_from == ("type=registry,ref=localhost:5000/app:buildcache",)


@pytest.mark.parametrize("output", ["registry", "oci", "docker"])
def test_the_machine_of_an_engine_has_an_address_on_every_output(output: str) -> None:
    job = redefined(output=output, extra_hosts=(("db", "10.0.0.1"), ("me", "host-gateway")))
    place = workplace(DockerCli("docker", {}), Path("/nowhere"))
    known = replace(place, builder=replace(place.builder, host_gateway="172.17.0.1"))
    built = build_command(job, SETTINGS, known, Path("metadata.json"))
    assert built.extra_hosts[:2] == (("db", "10.0.0.1"), ("me", "172.17.0.1"))
    # buildx says itself that another builder has none.
    assert command(job).extra_hosts[:2] == (("db", "10.0.0.1"), ("me", "host-gateway"))


def test_without_inline_cache_no_moving_tag_is_read() -> None:
    built = command(JOB)
    assert built.cache_from == ()
    assert built.cache_to == ()


@pytest.mark.parametrize(
    ("insecure", "is_plain"), [((), False), (("localhost:5000",), True), (("other:1",), False)]
)
def test_only_a_registry_of_the_image_makes_its_push_insecure(
    insecure: tuple[str, ...], is_plain: bool
) -> None:
    registries = tuple((each, RegistrySettings(is_plain_http=True)) for each in insecure)
    (output,) = command(JOB, registries=registries).outputs
    assert ("registry.insecure=true" in output) is is_plain


@pytest.mark.parametrize(
    ("context", "source"),
    [
        pytest.param(
            NamedContext("a", ContextKind.IMAGE, f"ghcr.io/a@{SHA}"),
            f"docker-image://ghcr.io/a@{SHA}",
            id="image",
        ),
        pytest.param(
            NamedContext("a", ContextKind.LAYOUT, SHA, "layouts/a"),
            f"oci-layout://layouts/a@{SHA}",
            id="layout",
        ),
        pytest.param(
            NamedContext("a", ContextKind.FILES, directory="contexts/a"), "contexts/a", id="files"
        ),
        pytest.param(
            NamedContext("a", ContextKind.GIT, "https://git.example/a#" + "0" * 40),
            "https://git.example/a#" + "0" * 40,
            id="git",
        ),
    ],
)
def test_a_named_context_is_spelled_as_buildx_wants_it(context: NamedContext, source: str) -> None:
    assert command(redefined(named_contexts=(context,))).build_contexts == (("a", source),)


def test_values_of_secrets_and_proxies_reach_buildx_in_its_environment_only(
    docker: FakeDocker, tmp_path: Path
) -> None:
    seen = tmp_path / "seen"
    docker.answer("buildx build", run=f"env >{seen}", exit_code=1)
    place = replace(
        workplace(docker.cli(), tmp_path),
        secrets=(BuildSecret("token", value="s3cret"), BuildSecret("file", "/home/a,b/token")),
        proxies=(("hTTP_PROXY", "http://me:s3cret@proxy"),),
    )
    with pytest.raises(BuildFailedError):
        build_image(JOB, SETTINGS, place)
    (call,) = docker.calls
    assert "--build-arg hTTP_PROXY " in call
    assert "--secret id=token,type=env,env=PANTS_DOCKER_BUILDKIT_SECRET_0" in call
    assert '--secret id=file,"src=/home/a,b/token"' in call
    assert "s3cret" not in call
    environment = seen.read_text().splitlines()
    assert "PANTS_DOCKER_BUILDKIT_SECRET_0=s3cret" in environment
    assert "hTTP_PROXY=http://me:s3cret@proxy" in environment


def test_secrets_that_are_no_text_are_left_out_of_what_is_shown(
    docker: FakeDocker, tmp_path: Path
) -> None:
    file = tmp_path / "secret"
    file.write_bytes(b"in\xfffile\n")
    printed = r"printf 'ERROR: \303\244in\377value, in\377file\n'"
    docker.answer("buildx build", run=printed, exit_code=1)
    place = replace(
        workplace(docker.cli(), tmp_path),
        secrets=(BuildSecret("a", value="in\udcffvalue"), BuildSecret("b", str(file))),
    )
    with pytest.raises(BuildFailedError, match=r"ERROR: ä\*\*\*, \*\*\*\n"):
        build_image(JOB, SETTINGS, place)


def test_buildx_seldom_collects_garbage_unless_the_user_says_how(
    docker: FakeDocker, tmp_path: Path
) -> None:
    seen = tmp_path / "seen"
    docker.answer("buildx build", run=f"env >>{seen}", exit_code=1)
    place = workplace(docker.cli(), tmp_path)
    users = replace(place, docker=place.docker.with_environment({"GOGC": "100"}))
    for each in (place, users):
        with pytest.raises(BuildFailedError):
            build_image(JOB, SETTINGS, each)
    found = [line for line in seen.read_text().splitlines() if line.startswith("GO")]
    assert sorted(found) == ["GOGC=100", "GOGC=400"]


@pytest.mark.parametrize(
    ("dockerfile", "given", "name"),
    [
        ("FROM scratch\n", (), "src/app:image"),
        ("FROM scratch\nARG BUILDKIT_BUILD_NAME\n", (), None),
        ("FROM scratch\n", (("BUILDKIT_BUILD_NAME", "own"),), "own"),
    ],
)
def test_a_build_is_called_after_its_target_where_no_image_could_show_it(
    docker: FakeDocker,
    tmp_path: Path,
    dockerfile: str,
    given: tuple[tuple[str, str], ...],
    name: str | None,
) -> None:
    (tmp_path / "build" / DOCKERFILE).write_text(dockerfile)
    docker.answer("buildx build", exit_code=1)
    with pytest.raises(BuildFailedError):
        build_image(redefined(build_args=given), SETTINGS, workplace(docker.cli(), tmp_path))
    words = docker.calls[0].split()
    names = [word for word in words if word.startswith("BUILDKIT_BUILD_NAME=")]
    assert names == ([] if name is None else [f"BUILDKIT_BUILD_NAME={name}"])


def test_a_failed_build_leaves_a_script_that_repeats_it(docker: FakeDocker, tmp_path: Path) -> None:
    policy = tmp_path / "policy.json"
    policy.write_text("{}")
    seen = tmp_path / "seen"
    docker.answer("buildx build", run=f"env >{seen}; pwd >>{seen}", exit_code=1)
    cli = docker.cli(
        DOCKER_HOST="tcp://far", EXPERIMENTAL_BUILDKIT_SOURCE_POLICY=str(policy), HOME="/private"
    )
    settings = replace(SETTINGS, cache_to=("type=gha,token=s3cret",))
    place = replace(
        workplace(cli, tmp_path),
        secrets=(BuildSecret("to'ken", value="s3cret"),),
        proxies=(("hTTP_PROXY", "http://me:s3cret@proxy"),),
    )
    job = redefined(labels=(("a", "b c"),))
    with pytest.raises(BuildFailedError, match="--keep-sandboxes=on_failure"):
        build_image(job, settings, place)
    script = tmp_path / "build" / "again.sh"
    assert "s3cret" not in script.read_text()

    refused = subprocess.run([script], capture_output=True, text=True, check=False)
    assert "PANTS_DOCKER_BUILDKIT_SECRET_0: must be the secret" in refused.stderr
    assert len(docker.calls) == 1
    given = {"PATH": "/usr/bin:/bin", "PANTS_DOCKER_BUILDKIT_SECRET_0": "x"}
    assert subprocess.run([script], env=given, check=False).returncode == 1
    words = docker.calls[1]
    assert "--label a=b c" in words
    assert "--output type=cacheonly" in words
    assert "--progress=plain" in words
    assert "gha" not in words
    environment = seen.read_text().splitlines()
    assert "DOCKER_HOST=tcp://far" in environment
    assert "EXPERIMENTAL_BUILDKIT_SOURCE_POLICY=source-policy.json" in environment
    assert str(tmp_path / "build") in environment
    assert (tmp_path / "build" / "source-policy.json").read_text() == "{}"

    docker.answer("buildx debug", run=f"env >{seen}", exit_code=1)
    assert subprocess.run([script, "shell"], env=given, check=False).returncode == 1
    debugger, found, rest = docker.calls[2].partition(" build ")
    assert debugger == "buildx debug --on=error --invoke=/bin/sh"
    assert (found, rest) == (" build ", words.partition(" build ")[2])
    assert "BUILDX_EXPERIMENTAL=1" in seen.read_text().splitlines()


@pytest.mark.parametrize(
    ("base", "platform"), [(None, "linux/amd64"), ("linux/arm/v7", "linux/arm/v7")]
)
def test_what_buildx_says_of_the_image_is_the_result(
    docker: FakeDocker, tmp_path: Path, base: str | None, platform: str
) -> None:
    prepare_build(docker, json.dumps(METADATA))
    job = redefined(output="docker", platform_of_base=base)
    result = build_image(job, SETTINGS, workplace(docker.cli(), tmp_path))
    assert isinstance(result, BuildResult)
    assert (result.build_digest, result.digest, result.size) == (BUILD, SHA, 475)
    assert [str(each.platform) for each in result.platforms] == [platform]


def test_a_build_that_hangs_ends(
    docker: FakeDocker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = tmp_path / "said"
    docker.answer("buildx build", run=f"echo 'ERROR: waiting' >&2; touch {said}; exec sleep 60")
    start = Deadline._start

    def start_once_it_is_said(*arguments: Any) -> None:
        while not said.exists():
            time.sleep(0.01)
        start(*arguments)

    monkeypatch.setattr(Deadline, "_start", start_once_it_is_said)
    settings = replace(SETTINGS, build_timeout=1)
    with pytest.raises(BuildTimeoutError) as raised:
        build_image(JOB, settings, workplace(docker.cli(), tmp_path))
    assert str(raised.value) == (
        "The build was ended because it took more than 1 seconds, the `build_timeout`. Raise that"
        " in the target or in '[docker-buildkit]', or see what it waited for:\nERROR: waiting"
    )
    settings = replace(settings, is_test=True)
    with pytest.raises(TestsTimeoutError, match="1 seconds, the `timeout`"):
        build_image(JOB, settings, workplace(docker.cli(), tmp_path))


def test_a_buildx_that_was_just_started_ends_with_a_build_that_is_interrupted(
    docker: FakeDocker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted(subprocess.Popen[bytes]):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            if "--metadata-file" in arguments[0]:
                started.append(self)
                os.kill(os.getpid(), signal.SIGINT)

    started: list[Interrupted] = []
    docker.answer("buildx build", run="exec sleep 600")
    monkeypatch.setattr(subprocess, "Popen", Interrupted)
    monkeypatch.setattr(deadline, "_INTERRUPTED_SECONDS", 0.05)
    try:
        with pytest.raises(KeyboardInterrupt):
            build_image(JOB, SETTINGS, workplace(docker.cli(), tmp_path))
        assert started[0].wait(SOON) == -signal.SIGKILL
    finally:
        started[0].kill()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_builder_that_does_not_boot_is_no_failure_of_the_build(
    docker: FakeDocker, tmp_path: Path
) -> None:
    error = "------\n > [internal] booting buildkit:\n------\nERROR: failed to build: not found\n"
    prepare_build(docker, "", stderr=error, exit_code=1)
    with pytest.raises(UnknownBuilderError, match="cannot be used: failed to build: not found"):
        build_image(JOB, SETTINGS, workplace(docker.cli(), tmp_path))


@pytest.mark.parametrize("metadata", ["", "{}"])
def test_a_buildx_that_names_no_image_is_too_old(
    docker: FakeDocker, tmp_path: Path, metadata: str
) -> None:
    prepare_build(docker, metadata)
    with pytest.raises(BuildFailedError, match=r"Use buildx 0\.13 or later\.$"):
        build_image(JOB, SETTINGS, workplace(docker.cli(), tmp_path))


@pytest.mark.parametrize(("progress", "is_shown"), [("plain", True), ("quiet", False)])
def test_progress_is_shown_to_who_wants_it(
    docker: FakeDocker, tmp_path: Path, progress: str, is_shown: bool
) -> None:
    started = {"digest": "sha256:1", "name": "[1/1] RUN", "started": "2026-01-01T00:00:00Z"}
    prepare_build(docker, json.dumps(METADATA), stderr=json.dumps({"vertexes": [started]}) + "\n")
    settings = replace(SETTINGS, progress=progress)
    build_image(
        redefined(output="docker"),
        settings,
        workplace(docker.cli(), tmp_path, SessionClient(tmp_path)),
    )
    assert (tmp_path / PROGRESS_FILE).exists() is is_shown


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        pytest.param(
            "ERROR: failed to push reg.io/a: the repository is immutable\n",
            f"\n{RegistryRule.IMMUTABLE_TAG.next_step}",
            id="immutable tag",
        ),
        pytest.param(
            "ERROR: failed to push reg.io/a: denied: Quota has been exceeded on namespace\n",
            f"\n{RegistryRule.QUOTA.next_step}",
            id="quota",
        ),
        pytest.param(
            "ERROR: failed to push reg.io/a: unexpected status: 401 Unauthorized\n",
            " then run this again: the builder keeps the steps in its cache.",
            id="push",
        ),
        pytest.param("ERROR: RUN says: quota\n", f"quota\n{REPEAT_BY_HAND}", id="no push"),
        pytest.param(
            "ERROR: failed to build: unknown entitlement foo\n",
            "\nCorrect the value, which is in the field `entitlements` of the image.",
            id="value",
        ),
    ],
)
def test_what_a_registry_or_buildx_refuses_says_what_to_do(
    docker: FakeDocker, tmp_path: Path, error: str, advice: str
) -> None:
    docker.answer("buildx build", stderr=error, exit_code=1)
    with pytest.raises(BuildFailedError) as raised:
        build_image(JOB, SETTINGS, workplace(docker.cli(), tmp_path))
    assert str(raised.value).endswith(advice)


def test_a_layout_that_is_none_is_said_without_a_traceback(
    docker: FakeDocker, tmp_path: Path
) -> None:
    prepare_build(docker, json.dumps(METADATA))
    with pytest.raises(BuildFailedError, match=r"not with an image: The directory .* must be an"):
        build_image(redefined(output="oci"), SETTINGS, workplace(docker.cli(), tmp_path))
