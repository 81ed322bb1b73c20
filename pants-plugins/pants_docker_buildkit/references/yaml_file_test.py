"""References go where values name images, and nothing else of a file changes."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pants_docker_buildkit.references.yaml_file import InvalidYamlFileError, YamlFile, join_files

PINNED = "127.0.0.1:5000/app/image@sha256:" + "a" * 64
DEPLOYMENT = """\
# What runs.
apiVersion: apps/v1
kind: Deployment   # pants://not/a:reference
spec:
  template:
    spec:
      containers:
        - {name: a, image: pants://src/app:image}   # the application
        - name: "b"
          image:    'pants://:image'
          args: ["--sidecar=pants://src/app:image", pants://src/app:image]
      initContainers:
        - image: &base "pants://src/app:image"
        - image: *base
---
data:
  text: |
    image: pants://src/app:image
  folded: >-
    pants://src/app:image
  pants://src/app:image: key
"""


def pin(text: str) -> str:
    """The text with all its references replaced by the same one."""
    file = YamlFile.parse(text.encode())
    return file.with_references({each.address: PINNED for each in file.references})


def test_every_value_that_names_an_image_is_replaced_and_nothing_else_changes() -> None:
    expected = (
        DEPLOYMENT.replace("image: pants://src/app:image}", f"image: {PINNED}}}")
        .replace("'pants://:image'", f"'{PINNED}'")
        .replace(
            '"--sidecar=pants://src/app:image", pants://src/app:image',
            f'"--sidecar={PINNED}", {PINNED}',
        )
        .replace('"pants://src/app:image"', f'"{PINNED}"')
    )
    assert pin(DEPLOYMENT) == expected
    assert DEPLOYMENT.count("pants://") - expected.count("pants://") == 5


def test_references_say_where_they_are() -> None:
    references = YamlFile.parse(DEPLOYMENT.encode()).references
    assert [(each.line, each.address) for each in references] == [
        (8, "src/app:image"),
        (10, ":image"),
        (11, "src/app:image"),
        (11, "src/app:image"),
        (13, "src/app:image"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("image: pants://a:b\r\nother: 1\r\n", id="crlf"),
        pytest.param("\ufeffimage: pants://a:b\n", id="byte-order-mark"),
        pytest.param("image: pants://a:b", id="no-last-line-break"),
        pytest.param("pants://a:b", id="whole-document"),
        pytest.param("# Ünïcode 😀\nimage: pants://a:b # 😀\n", id="beyond-ascii"),
        pytest.param("image: !!str pants://a:b\n", id="tag"),
        pytest.param("image: !tag &x 'pants://a:b'\n", id="tag-and-anchor"),
        pytest.param('{"image": "pants://a:b", "list": ["pants://a:b"]}', id="json"),
        pytest.param("%YAML 1.1\n---\nimage: pants://a:b\n...\n", id="directive"),
        pytest.param("? complex\n: pants://a:b\n", id="complex-key"),
        pytest.param("image:\n  pants://a:b\n", id="next-line"),
        pytest.param("image: pants://a:b\n---\n---\nimage: pants://a:b\n", id="empty-document"),
        pytest.param('"{{ quoted }}": "pants://a:b"\n', id="template-in-quotes"),
    ],
)
def test_the_text_around_a_reference_stays(text: str) -> None:
    assert pin(text) == text.replace("pants://a:b", PINNED)
    assert PINNED in str(list(yaml.safe_load_all(pin(text).replace("!tag ", ""))))


@pytest.mark.parametrize("text", ["", "# only a comment\n", "a: 1\n", "a: 'x://y'\n", "[]"])
def test_a_file_without_references_is_what_it_was(text: str) -> None:
    file = YamlFile.parse(text.encode())
    assert file.references == ()
    assert file.with_references({}) == text


def leaves() -> st.SearchStrategy[Any]:
    texts = st.text(
        st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=12
    ).filter(lambda text: "pants://" not in text)
    return st.one_of(st.just("pants://a:b"), texts, st.integers(), st.booleans(), st.none())


documents = st.recursive(
    leaves(),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text("abc", min_size=1), inner, max_size=3)
    ),
)


def replaced(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: replaced(each) for key, each in value.items()}
    if isinstance(value, list):
        return [replaced(each) for each in value]
    return PINNED if value == "pants://a:b" else value


@given(
    st.lists(documents, max_size=3),
    st.sampled_from([None, "'", '"']),
    st.sampled_from([None, True, False]),
)
def test_a_reader_sees_the_same_documents_with_references(
    values: list[Any], style: str | None, flow: bool | None
) -> None:
    text = yaml.safe_dump_all(values, default_style=style, default_flow_style=flow, width=200)
    assert list(yaml.safe_load_all(pin(text))) == [replaced(each) for each in values]


TEMPLATE = "has `{{`, as templates of Helm do"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            "a: 1\nb: [\n",
            "A file must be YAML, but line 3 is not: expected the node content, but found"
            " '<stream end>'.",
            id="not-yaml",
        ),
        pytest.param(
            "a: \x00\n",
            "A file must be YAML, but line 1 is not: special characters are not allowed.",
            id="control-character",
        ),
        pytest.param(
            "a: 1\nimage: {{ .Values.image }}\n",
            f"A file must be YAML, but line 2 {TEMPLATE}.",
            id="template-value",
        ),
        pytest.param(
            "{{- if .Values.on }}\na: 1\n{{- end }}\n",
            f"A file must be YAML, but line 1 {TEMPLATE}.",
            id="template-block",
        ),
        pytest.param(
            'a: {{ include "x" . | quote }}\n',
            f"A file must be YAML, but line 1 {TEMPLATE}.",
            id="template-quotes",
        ),
        pytest.param(
            "a: see pants://a:b for more\n",
            "A file must have one address after 'pants://', at the end of a value, but line 1 has"
            " the value 'see pants://a:b for more'.",
            id="text-after",
        ),
        pytest.param(
            "\na: pants://\n",
            "A file must have one address after 'pants://', at the end of a value, but line 2 has"
            " the value 'pants://'.",
            id="no-address",
        ),
        pytest.param(
            "a: pants://a:b,pants://a:c\n",
            "A file must have one address after 'pants://', at the end of a value, but line 1 has"
            " the value 'pants://a:b,pants://a:c'.",
            id="two",
        ),
        pytest.param(
            'a: "pants:\\/\\/a:b"\n',
            "A file must have 'pants://' and the address after it without escapes and line breaks,"
            " but line 1 has some in the value 'pants://a:b'.",
            id="escapes",
        ),
        pytest.param(
            'a: "pants://a:\\\n  b"\n',
            "A file must have 'pants://' and the address after it without escapes and line breaks,"
            " but line 1 has some in the value 'pants://a:b'.",
            id="line-break",
        ),
    ],
)
def test_what_cannot_be_read_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidYamlFileError) as raised:
        YamlFile.parse(text.encode())
    assert str(raised.value) == message


def test_another_encoding_is_refused() -> None:
    with pytest.raises(
        InvalidYamlFileError, match=r"must be UTF-8, but line 2 has the byte 0xe4\.$"
    ):
        YamlFile.parse("a: 1\nb: ä\n".encode("latin-1"))


@pytest.mark.parametrize(
    ("texts", "stream"),
    [
        pytest.param(["a: 1\n", "b: 2\n"], "a: 1\n---\nb: 2\n", id="implicit"),
        pytest.param(["a: 1", "# b\n---\nb: 2"], "a: 1\n# b\n---\nb: 2\n", id="explicit"),
        pytest.param(
            ["a: 1\n", "%YAML 1.1\n---\nb: 2\n"],
            "a: 1\n...\n%YAML 1.1\n---\nb: 2\n",
            id="directive",
        ),
        pytest.param(["", "# nothing\n", "b: 2\n"], "# nothing\n---\nb: 2\n", id="no-document"),
        pytest.param(["a: 1\n", "\ufeffb: 2\n"], "a: 1\n---\nb: 2\n", id="byte-order-mark"),
        pytest.param(
            ["a: |+\n  x\n\n", "b: 2\n"], "a: |+\n  x\n\n---\nb: 2\n", id="kept-line-ends"
        ),
        pytest.param(['{"a": 1}', '{"b": 2}'], '{"a": 1}\n---\n{"b": 2}\n', id="json"),
    ],
)
def test_several_files_are_one_stream_of_their_documents(texts: list[str], stream: str) -> None:
    assert join_files((YamlFile.parse(text.encode()), text) for text in texts) == stream
    expected = [each for text in texts for each in yaml.safe_load_all(text)]
    found = [each for each in yaml.safe_load_all(stream) if each is not None]
    assert found == expected
