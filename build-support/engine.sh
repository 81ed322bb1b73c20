#!/usr/bin/env bash
# A private Docker Engine with buildx, and a private registry on loopback, in one folder.
#
#   engine.sh start    unpack what is missing, start what is not running
#   engine.sh stop     stop both; images, caches and pushed content stay
#   engine.sh status   say what runs where
#   engine.sh remove   stop both and delete the folder
#
# The folder is $SETUP_CACHE/engine. Its parts: root (unpacked Debian packages), bin (commands for
# users of the engine), data (images and build cache), registry (pushed content), run (sockets, process
# ids, logs), settings (what was chosen once: registry port, bridge, address range).
#
# The engine lives in a mount namespace of its own and manages no firewall, so that it shares nothing
# with another engine on the machine: it has its own bridge, and one rule that lets it reach out.
set -euo pipefail

readonly START_SECONDS=60 STOP_SECONDS=20 MOST_NOTES=$((256 << 20))
readonly SID_PACKAGES=(docker.io docker-cli docker-buildx containerd tini-static)
readonly BOOKWORM_PACKAGES=(
  runc iptables docker-registry qemu-user-static busybox-static
  libxtables12 libip4tc2 libip6tc2 libnftnl11 libmnl0 libnfnetlink0 libnetfilter-conntrack3 libseccomp2
)
readonly BINFMT=/proc/sys/fs/binfmt_misc
# An ELF header for aarch64, and the bits of it that must match: Debian's own entry for qemu-aarch64.
readonly ARM64_MAGIC='\x7f\x45\x4c\x46\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
readonly ARM64_MASK='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'

support="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
cache="${SETUP_CACHE:-$(dirname "$support")/.cache}"
engine="$cache/engine"
root="$engine/root"
run="$engine/run"
registry_port='' bridge='' subnet='' # from $engine/settings
libraries="$root/usr/lib/$(uname -m)-linux-gnu"
with_packages=(env "PATH=$root/private:$root/usr/bin:$root/usr/sbin:$PATH"
  "LD_LIBRARY_PATH=$libraries:$root/lib/$(uname -m)-linux-gnu" "XTABLES_LIBDIR=$libraries/xtables")
# Becomes a program that outlives this script. It notes its own process id, and holds the lock until then: who
# comes after an interrupted start finds it, and waits until it answers.
# shellcheck disable=SC2016 # expanded by the inner shell
daemon=(sh -c 'echo $$ >"$1" && shift && exec "$@" 9>&-' sh)

say() { printf '[setup] %s\n' "$*" >&2; }
fail() {
  say "$*"
  exit 1
}

take_lock() {
  exec 9>"$cache/engine.lock"
  flock --nonblock 9 || {
    say "waiting for another run that starts or stops the private Docker Engine"
    flock 9
  }
}

require_rights() {
  [[ $(uname -s) == Linux ]] || fail "a private Docker Engine needs Linux." \
    "Install Docker Desktop, or point DOCKER_HOST at an engine with buildx."
  [[ $(id -u) == 0 ]] || fail "a private Docker Engine needs root." \
    "Install Docker Engine and buildx (docker-ce and docker-buildx-plugin, or your distribution's" \
    "packages), or point DOCKER_HOST at an engine."
  # The longest socket below the folder must fit into the kernel's 107 characters.
  ((${#run} <= 70)) || fail "the path $run is too long for the engine's sockets." \
    "Set SETUP_CACHE to a folder with a shorter path."
}

unpack_packages() {
  [[ ! -d $root ]] || return 0
  say "unpacking a private Docker Engine, buildx and a registry from Debian packages (80 MB to fetch)"
  local new="$engine/root.new"
  rm -rf "$new"
  mkdir -p "$new"
  DEBIAN_CACHE="$cache/debian" "$support/debian.sh" unpack sid "$new" "${SID_PACKAGES[@]}"
  DEBIAN_CACHE="$cache/debian" "$support/debian.sh" unpack bookworm "$new" "${BOOKWORM_PACKAGES[@]}"
  find "$new/usr/bin" -name 'qemu-*' ! -name qemu-aarch64-static -delete
  rm -rf "${new:?}/usr/share"
  mv "$new" "$root"
}

# `bin` is what the user of this engine puts on PATH; `root/private` is for the daemon alone.
write_commands() {
  mkdir -p "$root/private" "$engine/bin"
  local command
  for command in iptables ip6tables iptables-save ip6tables-save iptables-restore ip6tables-restore; do
    ln -sf "../usr/sbin/xtables-nft-multi" "$root/private/$command"
  done
  ln -sf ../bin/busybox "$root/private/ip"
  ln -sf "$root/usr/libexec/docker/cli-plugins/docker-buildx" "$engine/bin/docker-buildx"
  local script
  script="$(<"$support/docker_with_buildx.sh")"
  printf '%s\n' "${script/@root@/"$(printf '%q' "$root")"}" >"$engine/bin/docker.new"
  chmod 755 "$engine/bin/docker.new"
  mv "$engine/bin/docker.new" "$engine/bin/docker"
}

settings() {
  if [[ ! -s $engine/settings ]]; then
    local number port
    number="$(free_number)"
    port="$(free_port)"
    printf 'registry_port=%s\nbridge=%s\nsubnet=%s\n' \
      "$port" "pdb$number" "10.213.$number" >"$engine/settings.new"
    mv "$engine/settings.new" "$engine/settings"
  fi
  # shellcheck source=/dev/null
  . "$engine/settings"
}

# A third byte for 10.213.N.0/24 and the bridge's name that no interface of this machine uses. It starts
# from the folder's own path, so that two checkouts seldom ask for the same one at the same time.
free_number() {
  local start number
  start=$(($(printf '%s' "$engine" | cksum | cut -d' ' -f1) % 250))
  for ((number = start; number < start + 250; number++)); do
    [[ -e /sys/class/net/pdb$((number % 250)) ]] || break
  done
  printf '%s' "$((number % 250))"
}

# Below the range that the kernel gives to outgoing connections, so that the port stays free.
free_port() {
  local port
  for ((port = 20000 + RANDOM % 10000; ; port++)); do
    answers_on "$port" || break
  done
  printf '%s' "$port"
}

answers_on() { (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Is the process whose id the file holds still this program of ours? A stale file never is: process ids
# are used again, and the program is compared, not the number.
runs() {
  local pid
  [[ -s $1 ]] && pid="$(<"$1")" && [[ /proc/$pid/exe -ef $2 ]]
}
engine_runs() { runs "$run/docker.pid" "$root/usr/sbin/dockerd"; }
registry_runs() { runs "$run/registry.pid" "$root/usr/bin/docker-registry"; }

wait_for() { # SECONDS DESCRIPTION LOG COMMAND...
  local seconds="$1" description="$2" log="$3" deadline
  shift 3
  deadline=$((SECONDS + seconds))
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < deadline)) || {
      tail -n 5 "$log" >&2 || true
      fail "$description did not answer within $seconds s; see $log."
    }
    sleep 0.1
  done
}

register_arm64() {
  [[ $(uname -m) == x86_64 ]] || return 0
  [[ -e $BINFMT/register ]] || mount -t binfmt_misc binfmt_misc "$BINFMT" 2>/dev/null || {
    say "this kernel has no binfmt_misc, so images for linux/arm64 cannot run their RUN steps here"
    return 0
  }
  [[ ! -e $BINFMT/qemu-aarch64 ]] || return 0
  say "registering arm64 emulation with the kernel (binfmt_misc; until 'engine remove' or a restart)"
  printf ':qemu-aarch64:M::%s:%s:%s:FP' "$ARM64_MAGIC" "$ARM64_MASK" \
    "$root/usr/libexec/qemu-binfmt/aarch64-binfmt-P" >"$BINFMT/register"
  : >"$engine/registered-arm64"
}

masquerade() { # -A or -D or -C
  "${with_packages[@]}" iptables -t nat "$1" POSTROUTING \
    -s "$subnet.0/24" ! -o "$bridge" -j MASQUERADE 2>/dev/null
}

create_bridge() {
  if [[ ! -e /sys/class/net/$bridge ]]; then
    "${with_packages[@]}" ip link add "$bridge" type bridge
    "${with_packages[@]}" ip addr add "$subnet.1/24" dev "$bridge"
    "${with_packages[@]}" ip link set "$bridge" up
  fi
  masquerade -C || masquerade -A ||
    say "no address translation for the engine's bridge: RUN steps will not reach the network"
}

# containerd goes through all that it has noted whenever something is deleted. After some dozen runs of all
# tests, with 30,000 layers, that takes a fourth of a processor.
begin_anew_if_slow() {
  local notes="$engine/data/containerd/daemon/io.containerd.metadata.v1.bolt/meta.db"
  [[ -s $notes ]] && (($(stat -c %s "$notes") > MOST_NOTES)) || return 0
  say "removing the images and the build cache of the private Docker Engine, which slow it down by now"
  delete "$engine/data"
}

# Nobody finds a part of it, however long this takes and wherever it ends. `start` removes what is left.
delete() { # FOLDER
  rm -rf "$1.gone"
  [[ ! -d $1 ]] || mv "$1" "$1.gone"
  rm -rf "$1.gone"
}

start_engine() {
  rm -f "$run/docker.pid" "$run/docker.sock"
  begin_anew_if_slow
  mkdir -p "$engine/data" "$run/exec" "$run/shims" /run/containerd
  printf '{"features": {"containerd-snapshotter": true}}\n' >"$run/daemon.json"
  # The namespace keeps the engine's mounts to itself; containerd's one fixed path, /run/containerd,
  # is replaced in it, for another containerd may be using the machine's. With GOGC, both collect
  # garbage less often: a third of their processor time, while tests build one image after the other.
  # shellcheck disable=SC2016 # expanded by the inner shell
  GOGC=400 setsid "${with_packages[@]}" unshare --mount --propagation slave sh -c '
    mount --bind "$1" /run/containerd && shift && exec "$@"' sh "$run/shims" \
    "${daemon[@]}" "$run/docker.pid" dockerd \
    --config-file "$run/daemon.json" --host "unix://$run/docker.sock" --pidfile= \
    --data-root "$engine/data" --exec-root "$run/exec" \
    --bridge "$bridge" --iptables=false --ip6tables=false \
    </dev/null >"$run/docker.log" 2>&1 &
}

start_registry() {
  ! answers_on "$registry_port" ||
    fail "port $registry_port of the private registry is taken. Delete $engine/settings to choose anew."
  cat >"$run/registry.yml" <<CONF
version: 0.1
log: {level: warn, accesslog: {disabled: true}}
storage:
  cache: {blobdescriptor: inmemory}
  filesystem: {rootdirectory: $engine/registry}
  delete: {enabled: true}
http: {addr: "127.0.0.1:$registry_port"}
CONF
  # It spends a third of its time on collecting garbage otherwise.
  GOGC=400 setsid "${daemon[@]}" "$run/registry.pid" \
    "$root/usr/bin/docker-registry" serve "$run/registry.yml" \
    </dev/null >"$run/registry.log" 2>&1 &
}

start() {
  require_rights
  mkdir -p "$cache"
  take_lock
  rm -rf "$engine.gone" "$engine/data.gone"
  mkdir -p "$run"
  unpack_packages
  write_commands
  settings
  register_arm64
  if ! engine_runs; then
    say "starting the private Docker Engine (stop it with './pants engine stop')"
    create_bridge
    start_engine
  fi
  if ! registry_runs; then
    say "starting the private registry on 127.0.0.1:$registry_port"
    start_registry
  fi
  wait_for "$START_SECONDS" "the private Docker Engine" "$run/docker.log" \
    "$root/usr/bin/docker" --host "unix://$run/docker.sock" version
  wait_for "$START_SECONDS" "the private registry" "$run/registry.log" answers_on "$registry_port"
  exec 9>&-
}

end_process() { # PIDFILE PROGRAM
  local pid deadline
  runs "$1" "$2" || return 0
  pid="$(<"$1")"
  kill "$pid" 2>/dev/null || true
  deadline=$((SECONDS + STOP_SECONDS))
  while [[ /proc/$pid/exe -ef $2 ]]; do
    ((SECONDS < deadline)) || kill -9 "$pid" 2>/dev/null || true
    sleep 0.1
  done
}

stop() {
  [[ -d $cache ]] || return 0
  take_lock
  [[ -d $engine ]] || return 0
  end_process "$run/docker.pid" "$root/usr/sbin/dockerd"
  end_process "$run/registry.pid" "$root/usr/bin/docker-registry"
  rm -f "$run"/{docker.pid,docker.sock,registry.pid}
  if [[ -s $engine/settings && -d $root ]]; then
    settings
    masquerade -D || true
    [[ ! -e /sys/class/net/$bridge ]] || "${with_packages[@]}" ip link del "$bridge"
  fi
  say "the private Docker Engine and registry are stopped"
}

remove() {
  stop
  if [[ -e $engine/registered-arm64 && -e $BINFMT/qemu-aarch64 ]]; then
    echo -1 >"$BINFMT/qemu-aarch64"
  fi
  delete "$engine"
  say "$engine is deleted"
}

status() {
  if engine_runs; then
    echo "engine: running, DOCKER_HOST=unix://$run/docker.sock"
  else
    echo "engine: not running"
  fi
  if registry_runs; then
    settings
    echo "registry: running, 127.0.0.1:$registry_port"
  else
    echo "registry: not running"
  fi
}

case "${1:-}" in
start | stop | status | remove) "$1" ;;
*)
  sed -n '2,7s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
  exit 2
  ;;
esac
