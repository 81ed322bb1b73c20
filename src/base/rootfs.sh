#!/usr/bin/env bash
# Make a root file system from Debian packages: the same packages give the same bytes.
#
#   rootfs.sh OUTPUT.tar.gz SUITE PACKAGE[:ARCHITECTURE]...
#
# Documents stay out, except for the licences and the list of packages. Nothing is configured: the
# packages' own scripts are not run.
set -euo pipefail
export LC_ALL=C
umask 022

output="$1" suite="$2"
shift 2
root="$(mktemp -d)"
trap 'rm -rf "$root"' EXIT
chmod 755 "$root"
build-support/debian.sh unpack "$suite" "$root" "$@"
cd "$root"
mkdir -p usr/share/doc
mv debian-packages.txt usr/share/doc/
find usr/share -mindepth 1 -maxdepth 1 ! -name doc -exec rm -rf {} +
find usr/share/doc -type f ! -name copyright ! -name debian-packages.txt -delete
find . -depth -type d -path '*/gconv' -exec rm -rf {} +
find . -type d -empty -delete
mkdir -m 1777 tmp
cd "$OLDPWD"
tar --create --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --directory "$root" . |
  gzip -n >"$output"
