#!/usr/bin/env bash
# Resolve every 3rdparty/python/*.in into the lock file of the same name, with hashes and without index
# addresses. Needs uv (https://docs.astral.sh/uv) on PATH; uses the index that uv is configured with.
#
#   build-support/lock.sh [--upgrade]
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../3rdparty/python"
# The others are constrained by these two, in this order.
for name in pants default pytest lint mypy setuptools site buildgrid deploy syft; do
  resolve=()
  # Of these only a file inside is used, and never imported.
  [[ $name != deploy && $name != syft ]] || resolve=(--no-deps)
  uv pip compile --quiet --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
    --no-annotate --python-version 3.9 ${resolve[@]+"${resolve[@]}"} "$@" "$name.in" \
    --output-file "$name.lock"
done
