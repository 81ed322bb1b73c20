"""`pants run`, and an image as the tool of another target."""

from __future__ import annotations

import tarfile

from tests.integration.workbench.machine import Machine, repository_settings
from tests.integration.workbench.registry import Registry

BUILD = """\
docker_buildkit_image(name="image")
docker_buildkit_image(name="layout", output="oci", registries=[])
docker_buildkit_image(
    name="tool",
    extra_run_args=["--volume={chroot}:/work", "--workdir=/work"],
)
adhoc_tool(
    name="shouted",
    runnable=":tool",
    args=["sh", "-c", "tr a-z A-Z < app/words.txt > shouted.txt"],
    execution_dependencies=[":words"],
    output_files=["shouted.txt"],
    workdir="/",
)
shell_command(
    name="counted",
    command="tool wc -l app/words.txt > counted.txt",
    runnable_dependencies=[":tool"],
    execution_dependencies=[":words"],
    output_files=["counted.txt"],
    workdir="/",
)
file(name="words", source="words.txt")
archive(name="archive", files=[":shouted", ":counted"], format="tar")
"""


def test_an_image_runs_by_its_digest_and_as_a_tool(
    machine: Machine, registry: Registry, repository: str, busybox: str
) -> None:
    settings = repository_settings(registry.address, repository)
    backends = '"pants_docker_buildkit", "pants.backend.experimental.adhoc", "pants.backend.shell"'
    checkout = machine.checkout(
        "checkout",
        {
            "pants.toml": settings.replace('"pants_docker_buildkit"', backends, 1),
            "app/BUILD": BUILD,
            "app/words.txt": "some words\n",
            "app/Dockerfile": f"FROM {busybox}\nRUN echo {repository} > /name\n",
        },
    )

    # What Docker says when it pulls the image is on standard error too.
    pushed = checkout.pants("run", "app:image", "--", "cat", "/name", pantsd=True)
    assert pushed.output.endswith(f"{repository}\n")
    failed = checkout.pants(
        "run",
        "app:image",
        "--",
        "sh",
        "-c",
        "echo $0 >&2; exit 7",
        "said",
        pantsd=True,
        may_fail=True,
    )
    assert failed.exit_code == 7
    assert failed.output.endswith("said\n")
    reference = f"{registry.address}/{repository}/app@sha256:"
    assert all(reference in " ".join(call) for call in failed.docker_calls if call[0] == "run")

    first = checkout.pants("run", "app:layout", "--", "cat", "/name", pantsd=True)
    assert first.output.endswith(f"{repository}\n")
    second = checkout.pants("run", "app:layout", "--", "cat", "/name", pantsd=True)
    assert [call[0] for call in first.docker_calls if call[0] in ("load", "run")] == ["load", "run"]
    assert [call[0] for call in second.docker_calls] == ["image", "run"]

    checkout.pants("package", "app:archive", pantsd=True)
    with tarfile.open(checkout.directory / "dist/app/archive.tar") as archive:
        made = {each.name: archive.extractfile(each) for each in archive}
        assert {name: file and file.read() for name, file in made.items()} == {
            "shouted.txt": b"SOME WORDS\n",
            "counted.txt": b"1 app/words.txt\n",
        }
    again = checkout.pants("package", "app:archive")
    assert again.docker_calls == (), "an unchanged tool with unchanged input does not run again"
