from __future__ import annotations

from pants_docker_buildkit.session.directory import EXIT_NO_SESSION
from pants_docker_buildkit.util_rules.generations import explain_end


def test_a_build_without_a_session_says_where_images_are_built() -> None:
    # As in a Docker environment of Pants, where the tool of an `adhoc_tool` is asked for.
    said = explain_end(EXIT_NO_SESSION)
    assert "one cannot be the tool of a target with another `environment`" in said
    assert explain_end(1) == ""
