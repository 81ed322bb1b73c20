#!/usr/bin/env bash
# Build the documentation into a site with a search, and fail if a link in it leads nowhere.
#
#   build-support/site.sh [FOLDER]   default: dist/site
set -euo pipefail

checkout="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
export SETUP_CACHE="${SETUP_CACHE:-$checkout/.cache}"
folder="${1:-$checkout/dist/site}"

"$checkout/build-support/setup.sh" site
# shellcheck source=/dev/null
. "$SETUP_CACHE/site.ready"
"$SITE_BUILDER" -q -W --keep-going -b dirhtml -d "$SETUP_CACHE/site-doctrees" "$checkout/docs" "$folder"
echo "The documentation is in $folder/index.html."
