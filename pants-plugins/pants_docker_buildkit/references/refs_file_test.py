"""What tools read is what was meant, in every format."""

from __future__ import annotations

import json
import re
import subprocess

import pytest
import yaml

from pants_docker_buildkit.oci.digest import OciDigest
from pants_docker_buildkit.oci.image_platform import ImagePlatform
from pants_docker_buildkit.oci.platform_image import PlatformImage
from pants_docker_buildkit.references.refs_file import (
    InvalidRefsKeyError,
    PinnedImage,
    RefsFormat,
    render_refs,
)


def pinned(
    letter: str, *platforms: str, registries: tuple[str, ...] = ("localhost:5000",)
) -> PinnedImage:
    digest = OciDigest("sha256:" + letter * 64)
    return PinnedImage(
        digest,
        tuple(f"{registry}/team/{letter}@{digest}" for registry in registries),
        tuple(
            PlatformImage(ImagePlatform.parse(each), OciDigest("sha256:" + "1" * 64), digest)
            for each in platforms or ("linux/amd64",)
        ),
    )


A, B = pinned("a", "linux/amd64", "linux/arm64"), pinned("b", registries=("b.example", "c.example"))
IMAGES = {"SECOND": B, "FIRST": A}


def test_json_holds_keys_references_digests_and_platforms() -> None:
    document = json.loads(render_refs(IMAGES, RefsFormat.JSON))
    assert list(document) == ["FIRST", "SECOND"]
    assert document["FIRST"] == {
        "reference": A.reference,
        "repository": "localhost:5000/team/a",
        "digest": A.digest,
        "references": [A.reference],
        "platforms": [
            {"platform": "linux/amd64", "digest": "sha256:" + "1" * 64},
            {"platform": "linux/arm64", "digest": "sha256:" + "1" * 64},
        ],
    }
    assert document["SECOND"]["references"] == list(B.references)


def test_yaml_says_the_same_as_json() -> None:
    as_json, as_yaml = (render_refs(IMAGES, each) for each in (RefsFormat.JSON, RefsFormat.YAML))
    assert yaml.safe_load(as_yaml) == json.loads(as_json)
    assert list(yaml.safe_load(as_yaml)) == ["FIRST", "SECOND"]


def test_env_is_what_a_shell_reads() -> None:
    script = render_refs(IMAGES, RefsFormat.ENV).decode()
    show = 'printf "%s\\n" "$FIRST" "$FIRST_DIGEST" "$FIRST_PLATFORMS" "$SECOND_REPOSITORY"'
    said = subprocess.run(
        ["/bin/sh", "-euc", script + show], capture_output=True, check=True, text=True
    )
    assert said.stdout.splitlines() == [
        A.reference,
        A.digest,
        "linux/amd64,linux/arm64",
        "b.example/team/b",
    ]


def test_env_needs_no_quotes_for_what_does_not_read_them() -> None:
    # `docker --env-file` and the output files of CI systems take quotes for a part of the value.
    for line in render_refs(IMAGES, RefsFormat.ENV).decode().splitlines():
        assert re.fullmatch(r"[A-Z_]+=[\w@:,./-]+", line)


def test_text_is_a_reference_a_line_in_the_order_of_the_keys() -> None:
    assert render_refs(IMAGES, RefsFormat.TEXT).decode() == f"{A.reference}\n{B.reference}\n"


@pytest.mark.parametrize("refs_format", RefsFormat)
def test_the_order_of_the_keys_in_a_build_file_does_not_matter(refs_format: RefsFormat) -> None:
    turned = dict(reversed(IMAGES.items()))
    assert render_refs(turned, refs_format) == render_refs(IMAGES, refs_format)


@pytest.mark.parametrize(
    ("keys", "refs_format", "text"),
    [
        pytest.param(
            ("my-app",),
            RefsFormat.ENV,
            "The key 'my-app' must be the name of an environment variable.",
            id="no-variable",
        ),
        pytest.param(
            ("APP", "APP_DIGEST"),
            RefsFormat.ENV,
            "The key 'APP_DIGEST' must not give the variable APP_DIGEST, which another key gives,"
            " too.",
            id="variable-given-twice",
        ),
        pytest.param(
            ("a\nb",), RefsFormat.JSON, "The key 'a\\nb' must be printable text.", id="line-break"
        ),
        pytest.param(("",), RefsFormat.TEXT, "The key '' must be printable text.", id="empty"),
    ],
)
def test_keys_that_a_format_cannot_spell_are_refused(
    keys: tuple[str, ...], refs_format: RefsFormat, text: str
) -> None:
    with pytest.raises(InvalidRefsKeyError) as raised:
        render_refs(dict.fromkeys(keys, A), refs_format)
    assert str(raised.value) == text


@pytest.mark.parametrize("key", ["my-app", "yes", "1", "a: b", "#x", "ключ"])
def test_keys_that_need_care_in_yaml_come_out_as_text(key: str) -> None:
    assert list(yaml.safe_load(render_refs({key: A}, RefsFormat.YAML))) == [key]
