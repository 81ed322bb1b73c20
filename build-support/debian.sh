#!/usr/bin/env bash
# Fetch Debian packages and unpack them into a folder, without installing anything.
#
#   debian.sh fetch  SUITE FOLDER PACKAGE[:ARCHITECTURE]...   the .deb files, into FOLDER
#   debian.sh unpack SUITE FOLDER PACKAGE[:ARCHITECTURE]...   what they contain, into FOLDER
#
# The mirror, the proxy and the keyring are the machine's own; package lists and downloads stay in
# $DEBIAN_CACHE (default: .cache/debian in this checkout), so nothing else on the machine changes and
# no rights are needed. `unpack` appends one line per package to FOLDER/debian-packages.txt:
# suite, package, architecture, version, SHA-256.
set -euo pipefail

readonly KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
readonly LISTS_MAX_AGE_MINUTES=720

checkout="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cache="${DEBIAN_CACHE:-$checkout/.cache/debian}"

fail() {
  printf 'debian.sh: %s\n' "$*" >&2
  exit 1
}

require_debian() {
  local tool
  for tool in apt-get apt-config dpkg dpkg-deb; do
    command -v "$tool" >/dev/null ||
      fail "this step unpacks Debian packages and needs '$tool', which this machine does not have."
  done
  [[ -r $KEYRING ]] ||
    fail "this step needs Debian's signing keys in $KEYRING; install 'debian-archive-keyring'."
}

# The mirror that this machine already uses for Debian itself.
mirror_uri() {
  local codename
  codename="$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")"
  # shellcheck disable=SC2016 # apt's placeholders
  apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
    awk -v codename="$codename" '$1 == codename && $2 == "main" && !found { print $3; found = 1 }'
}

# Write an apt configuration that reads and writes in $1 only. Of the machine's configuration it keeps
# how to reach the network (`Acquire`: proxies, certificates, retries), and none of its hooks.
write_apt_configuration() {
  local state="$1" suite="$2" mirror
  mirror="$(mirror_uri)"
  [[ -n $mirror ]] || fail "apt on this machine names no mirror for Debian; add one to its sources."
  mkdir -p "$state"/{lists/partial,archives/partial,empty}
  : >"$state/status"
  printf 'deb [signed-by=%s] %s %s main\n' "$KEYRING" "$mirror" "$suite" >"$state/sources.list"
  {
    apt-config dump | grep '^Acquire::' | grep -v '^Acquire::IndexTargets' || true
    cat <<CONF
Dir::Etc::parts "$state/empty";
Dir::Etc::main "$state/empty/apt.conf";
Dir::Etc::sourcelist "$state/sources.list";
Dir::Etc::sourceparts "$state/empty";
Dir::Etc::preferences "$state/empty/preferences";
Dir::Etc::preferencesparts "$state/empty";
Dir::State "$state";
Dir::State::status "$state/status";
Dir::State::lists "$state/lists";
Dir::Cache "$state";
Dir::Cache::archives "$state/archives";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Acquire::Languages "none";
Acquire::GzipIndexes "true";
Acquire::Retries "3";
APT::Sandbox::User "$(id -un)";
CONF
  } >"$state/apt.conf"
}

update_lists() {
  local state="$1" suite="$2"
  rm -f "$state/updated"
  apt-get update -qq --error-on=any ||
    fail "the package lists of Debian $suite could not be fetched (no network?)."
  : >"$state/updated"
}

download() { # FOLDER PACKAGE...
  local folder="$1"
  shift
  (cd "$folder" && apt-get download -qq "$@")
}

# Lists may name a version that the mirror has replaced since: then they are fetched anew, once.
fetch() {
  local suite="$1" folder="$2" architecture package state native
  shift 2
  native="$(dpkg --print-architecture)"
  local -A architectures=(["$native"]=1)
  for package in "$@"; do
    architecture="${package##*:}"
    [[ $architecture == "$package" ]] || architectures["$architecture"]=1
  done
  state="$cache/$suite-$(printf '%s\n' "${!architectures[@]}" | sort | paste -sd+)"
  mkdir -p "$state" "$folder"
  exec 8>"$state/lock"
  flock 8
  write_apt_configuration "$state" "$suite"
  for architecture in "${!architectures[@]}"; do
    printf 'APT::Architectures:: "%s";\n' "$architecture"
  done | { printf '#clear APT::Architectures;\n' && cat; } >>"$state/apt.conf"
  export APT_CONFIG="$state/apt.conf"
  if [[ -z $(find "$state/updated" -mmin "-$LISTS_MAX_AGE_MINUTES" 2>/dev/null) ]]; then
    update_lists "$state" "$suite"
  fi
  if ! download "$folder" "$@" 2>"$state/download.log"; then
    update_lists "$state" "$suite"
    download "$folder" "$@" || fail "Debian $suite did not give all of: $*"
  fi
  exec 8>&-
}

unpack() {
  local suite="$1" folder="$2" downloads archive
  shift 2
  # Where it is killed, who begins anew with the folder removes this with it.
  downloads="$folder/downloads"
  mkdir -p "$downloads"
  fetch "$suite" "$downloads" "$@"
  for archive in "$downloads"/*.deb; do
    dpkg-deb -x "$archive" "$folder"
    # shellcheck disable=SC2016 # dpkg's placeholders
    printf '%s %s %s\n' "$suite" \
      "$(dpkg-deb -W --showformat '${Package} ${Architecture} ${Version}' "$archive")" \
      "$(sha256sum <"$archive" | cut -d' ' -f1)" >>"$folder/debian-packages.txt"
  done
  rm -rf "$downloads"
}

if (($# < 4)) || [[ $1 != fetch && $1 != unpack ]]; then
  sed -n '2,10s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
  exit 2
fi
require_debian
"$@"
