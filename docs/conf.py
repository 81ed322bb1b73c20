"""How Sphinx builds the documentation; see `build-support/site.sh`."""

from __future__ import annotations

project = "pants-docker-buildkit"
html_title = project
html_theme = "furo"
extensions = ["myst_parser"]
# Anchors of headings, as GitHub makes them.
myst_heading_anchors = 4
# Links to sources and tests become downloads; what is not there is an error.
suppress_warnings = ["misc.highlighting_failure"]
html_copy_source = False
exclude_patterns = ["BUILD"]
