"""`pants test` runs structure tests in BuildKit, on each platform, and again only if need be."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from tests.integration.workbench.machine import Machine, repository_settings
from tests.integration.workbench.registry import Registry

NOWHERE = {"DOCKER_HOST": "unix:///nonexistent/docker.sock"}

TESTS = r"""
schemaVersion: 2.0.0
globalEnvVars:
- {key: GREETING, value: "it's \"fine\"\nand $COLOR"}
commandTests:
- name: a command of the image, as its user, in its directory
  command: report
  args: [one two, "$COLOR"]
  setup: [[touch, made], [sh, -c, "echo more >>made"]]
  teardown: [[rm, made]]
  exitCode: 3
  expectedOutput: ['(?m)^args=one two,blue$', 'uid=1000', 'pwd=/home/app', 'greeting=it.s "fine"',
    'and blue', '^made=more', '☃']
  excludedOutput: ['SHLVL=2', 'OLDPWD']
  expectedError: ['^complaint']
  excludedError: ['args']
- name: no applet of the helper stands in for a program
  command: wc
  exitCode: 127
  expectedError: [no such program]
- name: where the user may not write
  command: touch
  args: [/etc/new]
  exitCode: 1
  expectedError: [Permission denied]
fileExistenceTests:
- {name: program, path: /usr/bin/report, permissions: -rwxr-xr-x, uid: 0, isExecutableBy: any}
- {name: link, path: /bin/lnk, permissions: Lrwxrwxrwx}
- {name: through a link, path: /linked/passwd, shouldExist: true}
- {name: variable, path: $HOME_OF_APP, gid: 1000}
- {name: gone, path: /bin/wc, shouldExist: false}
fileContentTests:
- {name: users, path: /linked/passwd, expectedContents: ['^app:x:1000'], excludedContents: [root]}
licenseTests:
- {debian: false, files: [/etc/passwd]}
metadataTest:
  envVars: [{key: COLOR, value: '^b\w+$', isRegex: true}]
  unboundEnvVars: [{key: GREETING}]
  labels: [{key: team, value: one}]
  exposedPorts: ["8080"]
  volumes: [/data]
  entrypoint: [/bin/false]
  cmd: []
  workdir: /home/app
  user: "1000:1000"
"""
REPORT = """\
#!/bin/sh
echo "made=$(cat made)"
echo "args=$1,$2"
id
echo "pwd=$(pwd) ☃"
echo "greeting=$GREETING"
env
echo complaint >&2
exit 3
"""
PASSWD = "app:x:1000:1000::/home/app:/bin/sh\n"


def helper_option(registry: Registry, busybox: str) -> str:
    helper = f"{busybox.rpartition(':')[0]}@{registry.digest(busybox)}"
    return f'[docker-buildkit-tests]\nhelper_image = "{helper}"\n'


def test_structure_tests_run_on_each_platform_and_again_only_if_they_fail(
    machine: Machine, registry: Registry, repository: str, busybox: str
) -> None:
    options = f"{helper_option(registry, busybox)}[test]\nreport = true\n"
    image = (
        "docker_buildkit_image(name='{0}', platforms=['linux/amd64', 'linux/arm64'], source='{0}'"
        ", dependencies=[':files'], context_root='./', {1})\n"
    )
    checkout = machine.checkout(
        "checkout",
        {
            "pants.toml": repository_settings(registry.address, repository, options),
            "app/BUILD": "files(name='files', sources=['report', 'passwd'])\n"
            + image.format("image", "image_labels={'team': 'one'}")
            + image.format("bare", "output='oci'")
            + "docker_buildkit_test(name='test', image=':image', source='tests.yaml')\n"
            "docker_buildkit_test(name='bare-test', image=':bare', source='bare.json')\n"
            "docker_buildkit_test(name='skipped', image=':bare', source='no.yaml',"
            " skip_tests=True)\n",
            "app/report": REPORT,
            "app/passwd": PASSWD,
            "app/image": f"FROM {busybox}\nCOPY --chmod=755 report /usr/bin/report\n"
            "COPY passwd /etc/passwd\nRUN rm /bin/wc && ln -s ../usr/bin/report /bin/lnk"
            " && ln -s /etc /linked && ln -s /proc/none /data-link\n"
            "ENV COLOR=blue HOME_OF_APP=/home/app\nEXPOSE 8080\nVOLUME /data\n"
            "RUN mkdir -p /home/app && chown 1000:1000 /home/app\n"
            'USER 1000:1000\nWORKDIR /home/app\nENTRYPOINT ["/bin/false"]\nONBUILD RUN exit 1\n',
            # Nothing but a program that needs nothing.
            "app/bare": f"FROM {busybox} AS tools\nFROM scratch\n"
            "COPY --from=tools /bin/busybox /busybox\nUSER 65532\n",
            "app/tests.yaml": TESTS,
            "app/bare.json": '{\n\t"schemaVersion": "2.0.0",\n\t"commandTests": [{\n'
            '\t\t"name": "\\ud83d\\ude00", "command": "/busybox", "args": ["echo", "\\u2603"],\n'
            '\t\t"expectedOutput": ["^\\u2603\\n$"]}],\n'
            '\t"fileExistenceTests": [{"name": "shell", "path": "/bin/sh", "shouldExist": false}]}',
        },
    )
    run = checkout.pants("test", "::", pantsd=True, may_fail=True)
    assert run.exit_code == 0, run.output
    reports = checkout.directory / "dist/test/reports"
    suites = ET.parse(reports / "app.test.xml").getroot()
    assert [suite.attrib["name"] for suite in suites] == [
        "app:test linux/amd64",
        "app:test linux/arm64",
    ]
    assert [suite.attrib["tests"] for suite in suites] == ["11", "11"]
    assert not list(suites.iter("failure"))

    run = checkout.pants("test", "::", pantsd=True, env=NOWHERE)
    assert run.builds == []

    checkout.replace("app/tests.yaml", "'uid=1000'", "'uid=1001'")
    for _ in range(2):
        run = checkout.pants("test", "app:test", pantsd=True, may_fail=True)
        assert run.exit_code == 1
        assert "expectedOutput: 'uid=1001' is not found in 'made=more" in run.output
        assert len(run.builds) == 2
    suites = ET.parse(reports / "app.test.xml").getroot()
    assert {str(failure.text).partition(" ")[0] for failure in suites.iter("failure")} == {
        "expectedOutput:"
    }
    checkout.replace("app/tests.yaml", "excludedError", "excludedErrors")
    run = checkout.pants("test", "::", pantsd=True, may_fail=True, env=NOWHERE)
    assert "app:bare-test succeeded" in run.output
    assert (
        "The `source` field in target app:test must name a file of structure tests"
        " (schema 2.0.0 or 1.0.0), but line 16 of app/tests.yaml breaks its rules in"
        " `commandTests[0].excludedErrors`"
    ) in run.output
    helper = f"{registry.address}/none@sha256:{64 * '0'}"
    option = f"--docker-buildkit-tests-helper-image={helper}"
    run = checkout.pants("test", "app:bare-test", option, pantsd=True, may_fail=True)
    assert f"must be an image that the builder can pull, but {helper} is not." in run.output


def test_stages_and_second_builds_are_tests(
    machine: Machine, registry: Registry, repository: str, busybox: str
) -> None:
    image = "docker_buildkit_image(name='{0}', source='{0}', platforms=['linux/amd64']{1})\n"
    test = "docker_buildkit_test(name='{0}-test', image=':{0}', {1})\n"
    planted = {
        "content": "hostname >/out/b",
        "mode": "test $(hostname) = buildkitsandbox || chmod 600 /out/b",
        "order": "test $(hostname) = buildkitsandbox && touch /out/a || touch /out/c",
    }
    checkout = machine.checkout(
        "checkout",
        {
            "pants.toml": repository_settings(
                registry.address, repository, helper_option(registry, busybox)
            ),
            "app/BUILD": image.format("staged", "")
            + test.format("staged", "target_stage='check'")
            + image.format("same", ", reproducible=True")
            + test.format("same", "reproducible=True")
            + image.format("time", "")
            + test.format("time", "reproducible=True")
            + "".join(
                image.format(name, ", reproducible=True") + test.format(name, "reproducible=True")
                for name in planted
            ),
            "app/staged": f"FROM {busybox} AS made\nRUN echo {repository} >/made\n"
            "FROM made AS check\nRUN grep integration /made\nFROM made\n",
            "app/same": f"FROM {busybox}\nRUN mkdir /out && echo {repository} >/out/b\n",
            # Both builds may be of the same second.
            "app/time": f"FROM {busybox}\nRUN mkdir /out && echo {repository} >/out/b;"
            " test $(hostname) = buildkitsandbox || touch -d @1 /out\n",
            **{
                f"app/{name}": f"FROM {busybox}\nRUN mkdir /out && touch /out/b && {command}\n"
                for name, command in planted.items()
            },
        },
    )
    run = checkout.pants("test", "::", pantsd=True, may_fail=True)
    assert run.exit_code == 1
    assert run.passed_tests == {"app:staged-test", "app:same-test"}
    assert set(re.findall(r"^✓ (\S+) succeeded in", run.output, re.M)) == run.passed_tests
    failed = {f"app:{name}-test" for name in ("time", *planted)}
    assert set(re.findall(r"^✕ (\S+) failed in", run.output, re.M)) == failed
    for found in (
        "/out/b differs in content (16 bytes,",
        "/out/b differs in mode (0644, then 0600)",
        "/out/a is in the first build only",
        "/out differs in time (",
        "Set `reproducible=True` in the image.",
    ):
        assert found in run.output, run.output

    passed = ("app:staged-test", "app:same-test")
    assert checkout.pants("test", *passed, pantsd=True).builds == []
    for _ in range(2):
        assert len(checkout.pants("test", "--force", *passed, pantsd=True).builds) == 3

    checkout.replace("app/staged", "grep integration", "grep nothing")
    run = checkout.pants("test", "app:staged-test", pantsd=True, may_fail=True)
    assert run.exit_code == 1
    assert "RUN grep nothing /made" in run.output
    assert "✕ app:staged-test failed in" in run.output

    # An image that only the local engine has is saved from there.
    checkout.write(
        {
            "app/BUILD": image.format("local", ", output='docker'")
            + test.format("local", "source='local.yaml'"),
            "app/local": f"FROM {busybox}\nRUN echo {repository} >/made\nCMD cat /made\n",
            "app/local.yaml": "schemaVersion: 2.0.0\n"
            "commandTests: [{name: it, command: cat, args: [/made], expectedOutput: ['^int']}]\n",
        }
    )
    run = checkout.pants("test", "app:local-test", pantsd=True)
    assert "app:local-test succeeded" in run.output
