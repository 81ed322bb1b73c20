from __future__ import annotations

import pytest

from pants_docker_buildkit.options.placeholders import InvalidPlaceholderError, Placeholders

VALUES = Placeholders(
    {"name": "app", "git_sha": "0123456789", "build_args": {"A": "{x}"}, "tags": {"a-b": "3.12"}}
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("{name}-{git_sha:.4}", "app-0123"),
        ("{build_args.A}", "{x}"),
        ("{tags.a-b}", "3.12"),
        ('{{"id": "{name}"}}', '{"id": "app"}'),
        ("{{name}} {{}}", "{name} {}"),
        ('[{{"remoteUser": "me"}}]', '[{"remoteUser": "me"}]'),
    ],
)
def test_placeholders_are_replaced_and_doubled_braces_are_braces(text: str, expected: str) -> None:
    assert VALUES.fill(text) == expected


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ('{"id": "a"}', "'{\"id\": \"a\"}' has a '{' that belongs to none"),
        ("a}", "'a}' has a '}' that belongs to none"),
        ("{nme}", "'{nme}' has '{nme}'"),
        ("{name.x}", "'{name.x}' has '{name.x}'"),
        ("{build_args}", "'{build_args}' has '{build_args}'"),
        ("{build_args.B}", "'{build_args.B}' has '{build_args.B}'"),
        ("{name:d}", "'{name:d}' has '{name:d}', whose format means nothing"),
    ],
)
def test_braces_that_mean_nothing_are_refused_with_what_to_write(text: str, finding: str) -> None:
    with pytest.raises(InvalidPlaceholderError) as raised:
        VALUES.fill(text)
    assert raised.value.finding.startswith(finding)
    assert "Write '{{' and '}}'" in raised.value.hint


def test_the_known_ones_are_listed() -> None:
    with pytest.raises(InvalidPlaceholderError) as raised:
        VALUES.fill("{x}")
    assert raised.value.hint.startswith(
        "Known are '{build_args.A}', '{git_sha}', '{name}', '{tags.a-b}'."
    )


def test_of_a_build_argument_it_is_said_where_it_gets_a_value() -> None:
    with pytest.raises(InvalidPlaceholderError) as raised:
        VALUES.fill("{build_args.B}")
    assert ". Give it a value in `extra_build_args` or" in raised.value.hint


def test_more_values_win() -> None:
    assert VALUES.merge({"name": "other"}).fill("{name}") == "other"
