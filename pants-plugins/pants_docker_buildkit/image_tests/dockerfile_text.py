r"""The Dockerfile whose build runs a structure test, and whose result is what was found.

Nothing of the image is needed to test it: commands are started by a static busybox that is mounted
from a helper image, so images without a shell, or with nothing but a program, are tested as all
others. Files are looked at where the image is mounted into the helper, so `/etc/hosts` and what
else BuildKit puts into a step is the image's own, and no platform has to be emulated for it.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping

from pants_docker_buildkit.image_tests.structure import CommandTest, StructureTest
from pants_docker_buildkit.image_tests.variables import expand, with_variables
from pants_docker_buildkit.oci.image_config import DEFAULT_PATH, ImageConfig

IMAGE = "image-under-test"
"""The named build context that is the image."""

FILES_DIRECTORY = "files"
DEBIAN_DIRECTORY = "debian"
DEBIAN_DOCUMENTS = "/usr/share/doc"

_PLACE = "/.structure-test"
_BUSYBOX = f"{_PLACE}/busybox"
_RESULTS = f"{_PLACE}/results"
_SHELL_NAME = re.compile("[A-Za-z_][A-Za-z0-9_]*", re.ASCII)

# The shell of a busybox prefers its own `ls` to the image's, but not where a path says which.
_FIND = """\
find_program() {
  name=$1
  shift
  for directory in "$@"; do
    [ -f "$directory/$name" ] && [ -x "$directory/$name" ] && { echo "$directory/$name"; return; }
  done
}
"""

# Links are followed here, because those that are absolute would lead out of the mounted image.
_LOOK = r"""
locate() {
  rest=$1 base= hops=0
  while [ -n "$rest" ]; do
    part=${rest%%/*}
    case $rest in */*) rest=${rest#*/} ;; *) rest= ;; esac
    case $part in '' | .) continue ;; ..) base=${base%/*}; continue ;; esac
    if [ -h "/image$base/$part" ] && { [ -n "$rest" ] || [ "$2" = file ]; }; then
      hops=$((hops + 1))
      [ $hops -le 40 ] || { echo /nowhere; return; }
      link=$(readlink "/image$base/$part")
      case $link in /*) base= ;; esac
      rest=$link${rest:+/$rest}
      continue
    fi
    base=$base/$part
  done
  echo "/image$base"
}
look() { stat -c '%f %u %g' "$(locate "$1" entry)" >"$2.stat" 2>/dev/null || : >"$2.stat"; }
take() {
  found=$(locate "$1" file)
  if [ -f "$found" ]; then cat "$found" >"$2.content"
  elif [ -d "$found" ]; then : >"$2.directory"; fi
}
take_documents() {
  documents=$(locate "$1" file)
  [ -d "$documents" ] || return 0
  for directory in "$documents"/*/; do
    directory=${directory%/}
    name=${directory##*/}
    [ -d "$directory" ] && [ ! -h "$directory" ] || continue
    mkdir -p "$2/$name" && take "$1/$name/copyright" "$2/$name/copyright"
  done
}
"""


def render_dockerfile(test: StructureTest, config: ImageConfig, helper: str) -> str:
    """The Dockerfile for an image of this configuration.

    `helper` is the pinned reference of an image with a static `/bin/busybox`.
    """
    stages = [
        f"FROM --platform=$BUILDPLATFORM {helper} AS place",
        _run(["/bin/busybox", "sh", "-c", "mkdir -p /place/results && chmod 777 /place/results"]),
        f"FROM {helper} AS helper",
        *_image_stage(config),
    ]
    results = []
    for number, command in enumerate(test.commands):
        stages += [f"FROM image AS command-{number}", *([f"USER {test.user}"] if test.user else [])]
        stages += ["COPY --from=place /place/ /.structure-test/"]
        script = _FIND + "".join(_steps(command, test, config))
        mount = f"--mount=type=bind,from=helper,source=/bin/busybox,target={_BUSYBOX}"
        stages.append(_run([_BUSYBOX, "sh", "-c", script], mount))
        results.append(f"COPY --from=command-{number} {_RESULTS}/ /command-{number}/")
    if test.reads_files:
        script = _LOOK + "".join(f"{line}\n" for line in _looks(test, config))
        mount = f"--mount=type=bind,from={IMAGE},target=/image"
        stages += ["FROM place AS files", _run(["/bin/busybox", "sh", "-c", script], mount)]
        results.append(f"COPY --from=files /place/results/ /{FILES_DIRECTORY}/")
    return "\n".join([*stages, "FROM scratch AS results", *results, ""])


def _run(command: list[str], mount: str = "") -> str:
    return f"RUN {mount} {json.dumps(command)}"


def _image_stage(config: ImageConfig) -> Iterator[str]:
    """The image, but for its triggers, which are for builds that are based on it."""
    if not config.triggers:
        yield f"FROM {IMAGE} AS image"
        return
    yield "FROM scratch AS image"
    yield f"COPY --from={IMAGE} / /"
    for key, value in config.env.items():
        yield f"ENV {key}={_quote(value)}"
    if config.workdir:
        yield f"WORKDIR {_quote(config.workdir)}"
    if config.user:
        yield f"USER {config.user}"


def _quote(text: str) -> str:
    """A value of an instruction that stands for just this text."""
    return '"' + re.sub(r'([\\"$])', r"\\\1", text) + '"'


def command_steps(command: CommandTest) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The commands that are run, each with the name of its results."""
    yield from ((f"setup-{number}", each) for number, each in enumerate(command.setup))
    yield "command", command.command
    yield from ((f"teardown-{number}", each) for number, each in enumerate(command.teardown))


def _steps(command: CommandTest, test: StructureTest, config: ImageConfig) -> Iterator[str]:
    known = with_variables(config.env, (*test.global_env, *command.env))
    chosen = {each.key for each in (*test.global_env, *command.env)}
    # What is no name in a shell, the shell would not hand on.
    passed = {key: known[key] for key in known if key in chosen or not _SHELL_NAME.fullmatch(key)}
    for name, words in command_steps(command):
        yield _step(name, [expand(each, known) for each in words], passed, known)


def _step(name: str, words: list[str], passed: Mapping[str, str], known: Mapping[str, str]) -> str:
    """Run one command, and leave its output and exit code."""
    program, *arguments = words
    result = f"{_RESULTS}/{name}"
    own = [each for each in ("PWD", "OLDPWD", "SHLVL") if each not in known]
    environment = [word for each in own for word in ("-u", each)]
    environment += [f"{key}={value}" for key, value in passed.items()]
    found = shlex.quote(program)
    if "/" not in program:
        directories = [each or "." for each in known.get("PATH", DEFAULT_PATH).split(":")]
        found = f'"$(find_program {shlex.join([program, *directories])})"'
    missing = f"{program}: there is no such program on PATH that the user may execute"
    return f"""\
set -- {found} {shlex.join(arguments)}
if [ -n "$1" ]; then
  {_BUSYBOX} env {shlex.join(environment)} "$@" >{result}.out 2>{result}.err </dev/null
  echo $? >{result}.code
else
  : >{result}.out
  echo {shlex.quote(missing)} >{result}.err
  echo 127 >{result}.code
fi
"""


def _looks(test: StructureTest, config: ImageConfig) -> Iterator[str]:
    known = with_variables(config.env, test.global_env)
    results = "/place/results"
    for number, each in enumerate(test.existence):
        yield _look("look", expand(each.path, known), f"{results}/existence-{number}")
    for number, content in enumerate(test.contents):
        yield _look("take", content.path, f"{results}/content-{number}")
    for number, path in enumerate(license_files(test)):
        yield _look("take", path, f"{results}/license-{number}")
    if any(each.debian for each in test.licenses):
        yield _look("take_documents", DEBIAN_DOCUMENTS, f"{results}/{DEBIAN_DIRECTORY}")


def _look(function: str, path: str, result: str) -> str:
    return shlex.join([function, path, result])


def license_files(test: StructureTest) -> Iterable[str]:
    """The files that license tests name, each once."""
    return dict.fromkeys(path for each in test.licenses for path in each.files)
