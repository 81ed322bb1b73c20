"""Which fields and options change the `build_digest`, and what is in the key of the build process?

Driven by the lists of fields and options: a new one fails these tests until somebody has decided
here whether it can change the image.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from pants.engine.process import Process
from pants.option.subsystem import Subsystem

from pants_docker_buildkit.subsystem import DockerBuildKitSubsystem
from pants_docker_buildkit.target_types import BuildKitImageTarget
from pants_docker_buildkit.testutil import ImageRunner
from pants_docker_buildkit.util_rules.definition import ImageDefinition
from pants_docker_buildkit.util_rules.generations import _build_process

SHA = "sha256:" + "a" * 64
DOCKERFILE = """\
ARG MODE=plain
FROM scratch AS first
COPY . /
FROM scratch AS second
ARG MODE
COPY . /app
RUN --mount=type=secret,id=token --mount=type=ssh true
"""
FILES = {
    "app/Dockerfile": DOCKERFILE,
    "app/Same.dockerfile": DOCKERFILE,
    "app/Other.dockerfile": f"{DOCKERFILE}LABEL more=1\n",
    "app/One.dockerfile": "FROM scratch\nARG MODE\nCOPY app/a.txt /\n",
    "app/Tools.dockerfile": f"{DOCKERFILE}COPY --from=tools / /tools\n",
    "app/a.txt": "a",
    "app/b.txt": "b",
    "app/token": "never read",
}
TARGETS = """\
files(name="a", sources=["a.txt"])
files(name="b", sources=["b.txt"])
"""
MEMBERS = {"dependencies": '[":a"]', "registries": '["localhost:5000"]'}


@dataclass(frozen=True)
class Variation:
    """Values of one field or option, as BUILD files or the command line spell them.

    The digest with each of `changes` differs from the one with `base`, with each of `keeps` it is
    the same. `None` leaves the field out.
    """

    base: str | None = None
    changes: tuple[str, ...] = ()
    keeps: tuple[str, ...] = ()


FIELDS = {
    "source": Variation(base='"Dockerfile"', changes=('"Other.dockerfile"', '"Same.dockerfile"')),
    "instructions": Variation(changes=('["FROM scratch"], source=None',)),
    "target_stage": Variation(changes=('"first"',)),
    "dependencies": Variation(base='[":a"]', changes=('[":a", ":b"]', "[]"), keeps=('["app:a"]',)),
    "context_root": Variation(changes=('"app"', '"./"'), keeps=('""',)),
    # Of a repository, the key has what is checked out: `util_rules/git_contexts_test.py`.
    "context": Variation(),
    "context_inputs": Variation(
        base='"reached", source="One.dockerfile"',
        changes=('"declared", source="One.dockerfile"',),
        keeps=('"reached", source="One.dockerfile", dependencies=[":a", ":b"]',),
    ),
    "build_contexts": Variation(
        base='{"tools": ":a"}, source="Tools.dockerfile"',
        changes=(
            '{"tools": ":b"}, source="Tools.dockerfile"',
            f'{{"tools": "docker-image://ghcr.io/a@{SHA}"}}, source="Tools.dockerfile"',
            f'{{"tools": "https://git.example/a.git#{"0" * 40}"}}, source="Tools.dockerfile"',
        ),
        # The Dockerfile does not use these.
        keeps=(
            '{"tools": ":a", "more": ":b"}, source="Tools.dockerfile"',
            f'{{"tools": ":a", "x": "docker-image://a@{SHA}"}}, source="Tools.dockerfile"',
            f'{{"tools": ":a", "x": "https://h/a.git#{"0" * 40}"}}, source="Tools.dockerfile"',
        ),
    ),
    "external_sources": Variation(
        changes=(
            f'["docker-image://ghcr.io/a@{SHA}"]',
            f'["https://git.example/a.git#{"0" * 40}"]',
        ),
        keeps=("[]",),
    ),
    "resolve": Variation(keeps=('"docker-images"',)),
    "platforms": Variation(
        base='["linux/amd64"]',
        changes=('["linux/arm64"]', '["linux/amd64", "linux/arm64"]'),
        keeps=('["linux/amd64", "linux/amd64"]',),
    ),
    "build_platform": Variation(base='["linux/amd64"]', changes=('["linux/arm64"]',)),
    "extra_build_args": Variation(changes=('["MODE=fast"]',)),
    "image_labels": Variation(base='{"a": "1"}', changes=('{"a": "2"}', '{"b": "1"}', "{}")),
    "image_annotations": Variation(base='{"a": "1"}', changes=('{"a": "2"}', '{"b": "1"}')),
    "secrets": Variation(
        base='{"token": "app/token"}',
        changes=('{"other": "app/token"}',),
        keeps=('{"token": "/x"}', '{"token": "env=TOKEN"}', '{"token": "command=get token"}'),
    ),
    "hashed_secrets": Variation(
        base='[], secrets={"token": "app/token"}',
        changes=('["token"], secrets={"token": "app/token"}',),
        keeps=('[], secrets={"token": "app/a.txt"}',),
    ),
    "ssh": Variation(base='["default"]', changes=('["mine"]',), keeps=('["default=/run/agent"]',)),
    "build_network": Variation(changes=('"none"', '"host"')),
    "extra_build_hosts": Variation(changes=('{"db": "10.0.0.1"}',)),
    "shm_size": Variation(changes=('"128m"',)),
    "ulimits": Variation(changes=('{"nofile": "1024"}',)),
    "entitlements": Variation(changes=('["network.host"]',)),
    "no_cache": Variation(changes=("True",), keeps=("False",)),
    "inline_cache": Variation(changes=("False",), keeps=("True",)),
    "reproducible": Variation(changes=("True",), keeps=("False",)),
    "output": Variation(base='"registry"', changes=('"oci", registries=[]', '"tar"')),
    "compression": Variation(changes=('"zstd"', '"estargz"', '"uncompressed"', '"gzip"')),
    "compression_level": Variation(base="1", changes=("9",)),
    "force_compression": Variation(changes=("True",), keeps=("False",)),
    "attest": Variation(
        changes=(
            '["type=provenance"]',
            '["type=provenance,mode=max"]',
            f'["type=sbom,generator=a@{SHA}"]',
        ),
        keeps=("[]",),
    ),
    "output_files": Variation(
        base='["a"], registries=[]',
        changes=('["b"], registries=[]', '["a"], output_directories=["c"], registries=[]'),
        keeps=('[".//a/", "a"], registries=[]',),
    ),
    "output_directories": Variation(changes=('["a"]',)),
    "outputs_match_mode": Variation(
        base='"all", output_files=["a"]', keeps=('"allow_empty", output_files=["a"]',)
    ),
    "cache_from": Variation(keeps=('["type=gha"]',)),
    "cache_to": Variation(keeps=('["type=gha,mode=max"]',)),
    "builder": Variation(keeps=('"far"',)),
    "build_timeout": Variation(keeps=("3600",)),
    "resources": Variation(keeps=('{"memory": "2g"}',)),
    "registries": Variation(base='["localhost:5000"]', keeps=('["ghcr.io"]',)),
    "repository": Variation(keeps=('"somewhere/else"',)),
    "image_tags": Variation(keeps=('["1.0", "{name}", "{git_sha}"]', "[]")),
    "skip_push": Variation(keeps=("True",)),
    "skip_dockerfile_checks": Variation(keeps=("True",)),
    "output_path": Variation(keeps=('"elsewhere"',)),
    "extra_run_args": Variation(keeps=('["--publish=80:80"]',)),
    "restartable": Variation(keeps=("True",)),
    "description": Variation(keeps=('"says what it is"',)),
    "tags": Variation(keeps=('["team"]',)),
    "environment": Variation(keeps=('"__local__"',)),
}
NAMES_OF_THE_RESULT = {"registries", "repository"}
"""They are in the process's key, because its result is only true of these repositories."""

OPTIONS = {
    "registries": Variation(
        base='{"dev": {"address": "localhost:5000"}}',
        keeps=(
            '{"dev": {"address": "ghcr.io"}}',
            '{"dev": {"address": "ghcr.io", "username": "me", "password": "env=PASSWORD"}}',
        ),
    ),
    "default_repository": Variation(keeps=("all/{name}",)),
    "output": Variation(changes=("docker", "oci"), keeps=("registry",)),
    "mirrors": Variation(keeps=('{"docker.io": "mirror.example/hub"}',)),
    "default_context_root": Variation(changes=("app",)),
    "default_platforms": Variation(base='["linux/amd64"]', changes=('["linux/arm64"]',)),
    # The Dockerfile here does not use it: see `util_rules/build_platform_test.py`.
    "build_platform": Variation(keeps=("linux/arm64",)),
    "build_args": Variation(changes=('["MODE=fast"]',), keeps=('["UNKNOWN=1"]',)),
    "env_vars": Variation(keeps=('["NAME=value"]',)),
    "docker": Variation(keeps=("/opt/docker",)),
    "policies": Variation(changes=('["app/a.txt"]',), keeps=("[]",)),
    "external_sources": Variation(changes=(f'["docker-image://ghcr.io/a@{SHA}"]',)),
    # Here nothing moves that a lock could pin: see `util_rules/image_lock_test.py`.
    "base_images": Variation(keeps=("locked", "frozen")),
    "resolves": Variation(keeps=('{"docker-images": "other.dockerfile"}',)),
    "default_resolve": Variation(keeps=("docker-images",)),
    "sbom_command": Variation(keeps=("syft {layout}",)),
    "sbom_scanner": Variation(keeps=("syft 1",)),
    "provenance": Variation(keeps=("true",)),
    "record_materials": Variation(keeps=("false",)),
    "lock_update": Variation(keeps=('["*"]',)),
    "executable_search_paths": Variation(keeps=('["/opt/docker"]',)),
    "builder": Variation(keeps=("far",)),
    "build_timeout": Variation(keeps=("3600",)),
    "secret_hash_key": Variation(keeps=("env=KEY",)),
    "pass_proxies": Variation(keeps=("false",)),
    "max_builds": Variation(keeps=("3",)),
    "resources": Variation(keeps=('{"memory": "2g"}',)),
    "builders": Variation(
        keeps=(
            "{'far': {'driver': 'remote', 'endpoint': 'tcp://far:1'}}",
            "{'far': {'driver': 'docker-container', 'nodes': [{'platforms': ['linux/arm64']}]}}",
        )
    ),
    "cache_from": Variation(keeps=('["type=gha"]',)),
    "cache_to": Variation(keeps=('["type=gha"]',)),
    "inline_cache_tag": Variation(keeps=("moving",)),
    "reproducible": Variation(changes=("true",), keeps=("false",)),
    "run_args": Variation(keeps=('["--network=host"]',)),
    "progress": Variation(keeps=("plain",)),
    "require_built": Variation(keeps=("true",)),
    "check_layers": Variation(keeps=("true",)),
    "registry_timeout": Variation(keeps=("3",)),
    "tailor": Variation(keeps=("false",)),
}
OTHER_SCOPES = {
    "docker-buildkit-report": {"file": "dist/report.json"},
    "docker-buildkit-signatures": {
        "key": "env=KEY",
        "password": "env=PASSWORD",
        "signer": "['sign', '--now']",
        "sign_platforms": "true",
        "cosign": "bin/cosign",
        "verify": "{'localhost:5000/*': {'key': 'app/a.txt'}}",
        "require_signed": "true",
    },
    "docker-buildkit-tests": {
        "skip": "true",
        "helper_image": f"busybox@{SHA}",
        "second_builder": "far",
    },
    "dockerfile-checks": {"skip": "true", "format": "github"},
}
"""A value of each option of the other scopes, of which none is in the key of a build."""


def all_fields() -> set[str]:
    return {field.alias for field in BuildKitImageTarget.core_fields}


def all_options(subsystem: type[Subsystem] = DockerBuildKitSubsystem) -> set[str]:
    infos = subsystem.__dict__.items()
    return {name for name, member in infos if type(member).__name__.endswith("Option")}


def other_subsystems() -> list[type[Subsystem]]:
    package = DockerBuildKitSubsystem.__module__.partition(".")[0]
    found = [each for each in Subsystem.__subclasses__() if each.__module__.startswith(package)]
    return [each for each in found if each is not DockerBuildKitSubsystem]


@pytest.fixture(scope="module")
def runner() -> ImageRunner:
    """Images that each differ in one field, in one BUILD file."""
    runner = ImageRunner()
    # Names of targets differ here, and so would their repositories.
    runner.set_options("default-repository=same", "secret-hash-key=file=app/b.txt")
    runner.write({**FILES, "app/BUILD": "\n".join((TARGETS, *declared_targets()))})
    return runner


@pytest.fixture(scope="module")
def runner_with_options() -> ImageRunner:
    """One image for all that differ in one option."""
    return ImageRunner()


def declared_targets() -> Iterator[str]:
    for alias, variation in FIELDS.items():
        for number, value in enumerate((variation.base, *variation.changes, *variation.keeps)):
            yield declare(f"{alias}-{number}", alias, value)


def declare(name: str, alias: str, value: str | None) -> str:
    members = {key: text for key, text in MEMBERS.items() if key != alias}
    if value is not None:
        members = {key: text for key, text in members.items() if f"{key}=" not in value}
        members[alias] = value
    text = ", ".join(f"{key}={item}" for key, item in members.items())
    return f'docker_buildkit_image(name="{name}", {text})'


def cases(kind: str) -> list[tuple[str, int]]:
    """The name of each field, and the number of each value of this kind."""
    found = []
    for alias, variation in FIELDS.items():
        start = 1 if kind == "changes" else 1 + len(variation.changes)
        found += [(alias, start + index) for index in range(len(getattr(variation, kind)))]
    return found


def test_every_field_is_known_to_change_the_image_or_not_to() -> None:
    assert all_fields() == set(FIELDS)


def test_every_option_is_known_to_change_the_image_or_not_to() -> None:
    assert all_options() == set(OPTIONS)


@pytest.mark.parametrize(("alias", "number"), cases("changes"))
def test_a_field_that_can_change_the_image_changes_the_build_digest(
    runner: ImageRunner, alias: str, number: int
) -> None:
    before = runner.definition(f"app:{alias}-0").job.build_digest
    assert runner.definition(f"app:{alias}-{number}").job.build_digest != before


@pytest.mark.parametrize(("alias", "number"), cases("keeps"))
def test_a_field_that_cannot_change_the_image_keeps_the_build_digest(
    runner: ImageRunner, alias: str, number: int
) -> None:
    before = runner.definition(f"app:{alias}-0")
    after = runner.definition(f"app:{alias}-{number}")
    assert after.job.build_digest == before.job.build_digest
    assert (after.inputs == before.inputs) is (alias not in NAMES_OF_THE_RESULT)


@pytest.mark.parametrize("name", OPTIONS)
def test_an_option_changes_the_build_digest_if_it_can_change_the_image(
    runner_with_options: ImageRunner, name: str
) -> None:
    runner = runner_with_options
    registries = '["@dev"]' if name == "registries" else MEMBERS["registries"]
    target = declare("image", "registries", registries)
    runner.write({**FILES, "app/BUILD": f"{TARGETS}\n{target}"})

    def build_digest(value: str | None) -> str:
        flag = name.replace("_", "-")
        runner.set_options(*(() if value is None else (f"{flag}={value}",)))
        return runner.definition("app:image").job.build_digest

    variation = OPTIONS[name]
    before = build_digest(variation.base)
    assert before not in [build_digest(value) for value in variation.changes]
    assert {before, *(build_digest(value) for value in variation.keeps)} == {before}


def test_the_order_in_which_a_build_file_says_things_does_not_matter() -> None:
    runner = ImageRunner()
    runner.set_options("default-repository=same", "secret-hash-key=file=app/b.txt")
    runner.write(
        {
            **FILES,
            "app/BUILD": TARGETS
            + """
docker_buildkit_image(
    name="one",
    dependencies=[":a", ":b"],
    image_labels={"a": "1", "b": "2"},
    platforms=["linux/amd64", "linux/arm64"],
    entitlements=["network.host", "security.insecure"],
)
docker_buildkit_image(
    name="two",
    dependencies=[":b", ":a"],
    image_labels={"b": "2", "a": "1"},
    platforms=["linux/arm64", "linux/amd64"],
    entitlements=["security.insecure", "network.host"],
)
""",
        }
    )
    assert runner.definition("app:one").job == runner.definition("app:two").job


def test_two_images_that_change_their_names_change_the_build_digest() -> None:
    runner = ImageRunner()
    one, two = (f"docker-image://ghcr.io/{name}@{SHA}" for name in ("a", "b"))
    targets = [
        f"docker_buildkit_image(name='{name}', source='Dockerfile', output='oci',"
        f" build_contexts={{'x': '{x}', 'y': '{y}'}})"
        for name, x, y in (("before", one, two), ("after", two, one))
    ]
    dockerfile = "FROM x\nCOPY --from=y / /y\n"
    runner.write({"swap/BUILD": "\n".join(targets), "swap/Dockerfile": dockerfile})
    before, after = (runner.definition(f"swap:{name}").job for name in ("before", "after"))
    assert before.build_digest != after.build_digest


def process_key(definition: ImageDefinition) -> tuple[object, ...]:
    """What Pants looks up in its caches: none of the rest of a `Process` is in there."""
    process: Process = _build_process(definition, 0, "no build is remembered on this machine")
    return (
        process.argv,
        tuple(process.env.items()),
        process.input_digest,
        process.output_files,
        process.output_directories,
        process.append_only_caches,
        process.timeout_seconds,
        process.working_directory,
    )


def test_key_of_the_process_knows_neither_user_nor_machine_nor_checkout() -> None:
    keys, places = [], []
    for home, host, path in (
        ("/home/one", "unix:///var/run/docker.sock", "/usr/bin:/bin"),
        ("/root", "ssh://two.example", "/opt/docker/bin:/bin"),
    ):
        runner = ImageRunner()
        runner.set_options(env={"HOME": home, "DOCKER_HOST": host, "PATH": path}, inherit=())
        runner.write({**FILES, "app/BUILD": f"{TARGETS}\n{declare('image', 'tags', '[]')}"})
        keys.append(process_key(runner.definition("app:image")))
        places.append(runner.runner.build_root)
    assert places[0] != places[1]
    assert keys[0] == keys[1]
    text = repr(keys[0])
    assert not [word for word in (*places, "/home", "/root", "docker.sock") if word in text]


def test_no_option_of_another_scope_is_in_the_key() -> None:
    known = {scope: set(values) for scope, values in OTHER_SCOPES.items()}
    assert known == {each.options_scope: all_options(each) for each in other_subsystems()}
    runner = ImageRunner()
    runner.write({**FILES, "app/BUILD": f"{TARGETS}\n{declare('image', 'tags', '[]')}"})
    before = process_key(runner.definition("app:image"))
    runner.runner.set_options(
        [
            f"--{scope}-{name.replace('_', '-')}={value}"
            for scope, values in OTHER_SCOPES.items()
            for name, value in values.items()
        ],
        env_inherit={"PATH"},
    )
    assert process_key(runner.definition("app:image")) == before


def test_a_generation_is_another_key_and_another_reason_is_not(runner: ImageRunner) -> None:
    definition = runner.definition("app:tags-0")
    first, second = (_build_process(definition, each, "reason") for each in (0, 1))
    assert first.argv != second.argv
    other_reason = _build_process(definition, 0, "another reason")
    assert (first.argv, first.env, first.input_digest) == (
        other_reason.argv,
        other_reason.env,
        other_reason.input_digest,
    )
