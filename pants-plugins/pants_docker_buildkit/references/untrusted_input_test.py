"""Any YAML file is read or refused, and what is not a reference stays as it is."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from pants_docker_buildkit.oci.digest import parse_oci_digest
from pants_docker_buildkit.oci.image_platform import ImagePlatform
from pants_docker_buildkit.oci.platform_image import PlatformImage
from pants_docker_buildkit.oci.testing.damage import Edit, damage
from pants_docker_buildkit.references.refs_file import (
    InvalidRefsKeyError,
    PinnedImage,
    RefsFormat,
    render_refs,
)
from pants_docker_buildkit.references.yaml_file import InvalidYamlFileError, YamlFile, join_files

SAMPLE = b"""\
# what to run
apiVersion: v1
spec: &x
  containers:
  - {image: pants://src/app:image, args: ["a", 'pants://src/b:c']}
  - image: "prefix/pants://:here" # comment
  text: |
    pants://not/this
---
again: *x
"""
PARTS = [
    *(b"pants://", b"{{", b"}}", b"[", b"]", b"{", b"}", b"- ", b": ", b"|\n", b">\n", b"'", b'"'),
    *(b"&x ", b"*x", b"!!str ", b"---\n", b"...\n", b"%YAML 9\n", b"\t", b"\r\n", b"\xff", b"\0"),
    *(b"\xef\xbb\xbf", b"\xc2\x85", b"\\x41", b"? ", b"#", b"[" * 200, b"\xe2\x80\xa8"),
]
FILES = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 400), st.integers(0, 40), st.sampled_from(PARTS)),
    max_size=8,
)
DIGEST = parse_oci_digest("sha256:" + "a" * 64)


@given(FILES)
def test_any_file_keeps_its_text_around_references_or_is_refused(edits: list[Edit]) -> None:
    content = damage(SAMPLE, edits)
    try:
        file = YamlFile.parse(content)
    except InvalidYamlFileError as e:
        check_error(e, content)
        return
    same = {each.address: f"pants://{each.address}" for each in file.references}
    assert file.with_references(same) == content.decode()
    join_files([(file, file.text), (file, file.text)])


def check_error(error: InvalidYamlFileError, content: bytes) -> None:
    # A line ends in more ways in YAML than in most programs.
    assert 1 <= error.line <= len(content) + 1
    str(error).encode()


@given(st.text(max_size=8), st.sampled_from(RefsFormat))
def test_any_key_is_written_or_refused(key: str, refs_format: RefsFormat) -> None:
    platform = PlatformImage(ImagePlatform.parse("linux/amd64"), DIGEST, DIGEST)
    image = PinnedImage(DIGEST, (f"reg.io/a@{DIGEST}",), (platform,))
    with contextlib.suppress(InvalidRefsKeyError):
        assert DIGEST in render_refs({key: image}, refs_format).decode()
