from __future__ import annotations

from pathlib import Path

from pants_docker_buildkit.solver.profile import (
    BuildSettings,
    Profile,
    event_path,
    parse_profile,
    parse_settings,
    settings_path,
)


def test_a_profile_is_read_back_as_it_was_written() -> None:
    profile = Profile((("HOME", "/root"), ("PATH", "/bin"), ("ODD", 'a "b" ü\n')))
    assert parse_profile(profile.to_json()) == profile


def test_settings_are_read_back_as_they_were_written() -> None:
    settings = BuildSettings(
        target="src/app:image",
        builder="far",
        cache_from=("type=gha",),
        cache_to=("type=registry,ref=a,mode=max",),
        inline_cache_tag="moving",
        secrets=(("token", "/home/me/token"),),
        ssh=("default",),
        insecure_registries=("localhost:5000",),
        shows_progress=True,
    )
    assert parse_settings(settings.to_json()) == settings


def test_settings_and_events_of_different_builds_lie_apart() -> None:
    session = Path("/session")
    paths = {settings_path(session, "a"), settings_path(session, "b")}
    paths |= {event_path(session, "a", 0), event_path(session, "a", 1), event_path(session, "b", 0)}
    assert len(paths) == 5
