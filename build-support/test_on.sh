#!/usr/bin/env bash
# Run the tests on another Pants than that of the lock files, with its own Python.
#
#   BUILDKIT_TESTS_PANTS=/path/to/venv/bin/pants build-support/test_on.sh [ARGUMENT OF PYTEST...]
#
# Beside the program must lie the `python` that it runs on, which can import `pants` and
# `pants.testutil`. What else the tests import is installed into an environment of our own. Without
# arguments, everything runs but the tests of this repository's documents, examples and wheel, which
# that Pants would have to package. With SETUP_ENGINE=none no tools for integration tests are set up.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
cache="${SETUP_CACHE:-$PWD/.cache}"

fail() {
  printf '[test_on] %s\n' "$*" >&2
  exit 1
}

program="${BUILDKIT_TESTS_PANTS:?name the program of a Pants}"
python="$(dirname "$program")/python"
[[ -x $python ]] || fail "beside $program must lie the python that it runs on."
"$python" -c 'import pants.testutil.rule_runner' ||
  fail "$python must be able to import pants.testutil: install pantsbuild.pants.testutil."
version="$("$python" -c 'from pants.version import VERSION; print(VERSION)')"
folder="$cache/test-on/$version-$({ echo "$program" && cat 3rdparty/python/pants.in; } | cksum | cut -d' ' -f1)"

# Sees the libraries of Pants, and pip leaves alone what is there.
make_environment() {
  rm -rf "$folder"
  "$python" -m venv "$folder"
  "$python" - >"$("$folder/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/pants.pth" <<'PYTHON'
import sys
from pathlib import Path

import pants.version

folders = [each for each in sys.path if each.endswith("-packages")]
print(*dict.fromkeys([*folders, str(Path(pants.version.__file__).parents[1])]), sep="\n")
PYTHON
  sed '/^#/d; /^pantsbuild/d' 3rdparty/python/pants.in >"$folder/requirements.txt"
  "$folder/bin/python" -m pip install --quiet --disable-pip-version-check hypothesis pytest tomli pex \
    -r "$folder/requirements.txt"
  # That Pants, with the libraries of the plugin.
  printf '#!%s\nfrom pants.bin.pants_loader import main\n\nmain()\n' "$folder/bin/python" >"$folder/bin/pants"
  chmod +x "$folder/bin/pants"
  : >"$folder/complete"
}

# As the set-up's machine.toml, with the pex tool and the interpreter of this Pants.
write_machine_configuration() {
  local pex_version pex platform
  pex_version="$("$python" -c 'from pants.backend.python.util_rules.pex_cli import PexCli
print(PexCli.default_version.lstrip("v"))')"
  pex="$folder/pex-$pex_version"
  [[ -s $pex ]] || "$folder/bin/python" -m pex "pex==$pex_version" --script pex --output-file "$pex"
  {
    sed '/^\[pex-cli\]/,/^$/d; /^\[python-bootstrap\]/,/^$/d' "$cache/machine.toml"
    printf '\n[pex-cli]\nversion = "v%s"\nurl_template = "file://%s"\nknown_versions = [\n' "$pex_version" "$pex"
    for platform in linux_x86_64 linux_arm64 macos_x86_64 macos_arm64; do
      printf '  "v%s|%s|%s|%s",\n' "$pex_version" "$platform" \
        "$({ sha256sum "$pex" 2>/dev/null || shasum -a 256 "$pex"; } | cut -d' ' -f1)" \
        "$(wc -c <"$pex" | tr -d ' ')"
    done
    printf ']\n\n[python-bootstrap]\nsearch_path = ["%s"]\n' \
      "$("$python" -c 'import sys
print("%s/bin/python%d.%d" % (sys.base_prefix, *sys.version_info[:2]))')"
  } >"$folder/machine.toml.$$"
  # At once: other tests may run on this Pants.
  mv "$folder/machine.toml.$$" "$folder/machine.toml"
}

build-support/setup.sh pants
[[ -e $folder/complete ]] || make_environment
write_machine_configuration
if [[ ${SETUP_ENGINE:-auto} != none ]]; then
  build-support/setup.sh tests
  build-support/engine.sh start
  # shellcheck source=/dev/null
  . "$cache/tests.ready"
  # shellcheck source=/dev/null
  . "$cache/engine/settings"
  export PATH="$cache/engine/bin:$PATH" DOCKER_HOST="unix://$cache/engine/run/docker.sock"
  export SETUP_REGISTRY="${SETUP_REGISTRY:-127.0.0.1:${registry_port:?}}"
fi
BUILDKIT_TESTS_DOCKER="$(command -v docker || true)"
BUILDKIT_TESTS_DOCKER_HOST="${DOCKER_HOST:-unix:///var/run/docker.sock}"
export BUILDKIT_TESTS_DOCKER BUILDKIT_TESTS_DOCKER_HOST
export BUILDKIT_TESTS_REGISTRY="${SETUP_REGISTRY:-localhost:5000}"
export BUILDKIT_TESTS_PANTS="$folder/bin/pants" BUILDKIT_TESTS_PANTS_CONFIG="$folder/machine.toml"
export BUILDX_CONFIG="${BUILDX_CONFIG:-$cache/buildx}" CI=true NO_SCIE_WARNING=1
export PYTHONPATH="$PWD:$PWD/pants-plugins:$PWD/build-support" PYTHONDONTWRITEBYTECODE=1

(($#)) || set -- pants-plugins tests --ignore=tests/style --ignore=tests/integration/examples_test.py \
  --ignore=tests/integration/readme_test.py --ignore=tests/integration/wheel_test.py
printf '[test_on] Pants %s\n' "$version" >&2
exec "$folder/bin/python" -m pytest --no-header -q "$@"
