"""Do we read image references as distribution/reference does?

The cases follow `TestReferenceParse`, `TestValidateReferenceName`, `TestValidateRemoteName` and
`TestParseRepositoryInfo` of https://github.com/distribution/reference (reference_test.go and
normalize_test.go). Two differences are wanted: only sha256 digests are accepted, and `parse`
refuses a reference that does not name its registry.
"""

from __future__ import annotations

import pytest

from pants_docker_buildkit.oci.reference import ImageReference, InvalidImageReferenceError

DIGEST = "sha256:" + "f" * 64

VALID = {
    # text: (registry, repository, tag, digest), as Docker understands it
    "test_com": ("docker.io", "library/test_com", "latest", None),
    "test.com:tag": ("docker.io", "library/test.com", "tag", None),
    "test.com:5000": ("docker.io", "library/test.com", "5000", None),
    "test.com/repo:tag": ("test.com", "repo", "tag", None),
    "test:5000/repo": ("test:5000", "repo", "latest", None),
    "test:5000/repo:tag": ("test:5000", "repo", "tag", None),
    f"test:5000/repo@{DIGEST}": ("test:5000", "repo", None, DIGEST),
    f"test:5000/repo:tag@{DIGEST}": ("test:5000", "repo", "tag", DIGEST),
    "lowercase:Uppercase": ("docker.io", "library/lowercase", "Uppercase", None),
    "sub-dom1.foo.com/bar/baz/quux": ("sub-dom1.foo.com", "bar/baz/quux", "latest", None),
    "b.gcr.io/test.example.com/my-app:test.example.com": (
        "b.gcr.io",
        "test.example.com/my-app",
        "test.example.com",
        None,
    ),
    "xn--n3h.com/myimage:xn--n3h.com": ("xn--n3h.com", "myimage", "xn--n3h.com", None),
    "foo_bar.com:8080": ("docker.io", "library/foo_bar.com", "8080", None),
    "foo/foo_bar.com:8080": ("docker.io", "foo/foo_bar.com", "8080", None),
    "192.168.1.1": ("docker.io", "library/192.168.1.1", "latest", None),
    "192.168.1.1:5000/repo:5050": ("192.168.1.1:5000", "repo", "5050", None),
    "[2001:db8::1]/repo": ("[2001:db8::1]", "repo", "latest", None),
    f"[2001:db8::1]:5000/repo:tag@{DIGEST}": ("[2001:db8::1]:5000", "repo", "tag", DIGEST),
    "[::1]:5000/repo": ("[::1]:5000", "repo", "latest", None),
    "example.com/" + "a" * 255 + ":tag": ("example.com", "a" * 255, "tag", None),
    "example.com/" + "a/" * 127 + "a:tag": ("example.com", "a/" * 127 + "a", "tag", None),
    "debian": ("docker.io", "library/debian", "latest", None),
    "docker/docker": ("docker.io", "docker/docker", "latest", None),
    "library/debian": ("docker.io", "library/debian", "latest", None),
    "store/foo/bar": ("docker.io", "store/foo/bar", "latest", None),
    "localhost/debian": ("localhost", "debian", "latest", None),
    "LOCALDOMAIN/library/debian": ("LOCALDOMAIN", "library/debian", "latest", None),
    "Docker/docker": ("Docker", "docker", "latest", None),
    "docker.io/debian": ("docker.io", "library/debian", "latest", None),
    "docker.io/library/debian": ("docker.io", "library/debian", "latest", None),
    "docker.io/library/foo/bar": ("docker.io", "library/foo/bar", "latest", None),
    "index.docker.io/debian": ("docker.io", "library/debian", "latest", None),
    "index.docker.io/docker/docker": ("docker.io", "docker/docker", "latest", None),
    "docker.io/" + "1a" * 32: ("docker.io", "library/" + "1a" * 32, "latest", None),
    "d/docker": ("docker.io", "d/docker", "latest", None),
    "docker---rules/docker": ("docker.io", "docker---rules/docker", "latest", None),
    "dock__er/docker": ("docker.io", "dock__er/docker", "latest", None),
    "localhost/repo:" + "t" * 128: ("localhost", "repo", "t" * 128, None),
}

INVALID = [
    "",
    ":justtag",
    f"@{DIGEST}",
    "repo@sha256:" + "f" * 34,
    "validname@invaliddigest:" + "f" * 64,
    "validname@sha512:" + "f" * 128,
    "validname@sha256:" + "F" * 64,
    "Uppercase:tag",
    "test:5000/Uppercase/lowercase:tag",
    "domain.com/" + "a" * 256 + ":tag",
    "aa/asdf$$^/aa",
    "[2001:db8::1]",
    "[2001:db8::1]:5000",
    "[2001:db8::1]:tag",
    "[fe80::1%eth0]:5000/repo",
    "[fe80::1%@invalidzone]:5000/repo",
    "[2001:db8:3:4::192.0.2.33]:5000/debian",
    "fc00::1:5000/debian",
    "https://github.com/docker/docker",
    "docker/Docker",
    "docker.io/docker/Docker",
    "-docker",
    "-docker/docker",
    "docker-/docker",
    "-docker.io/docker/docker",
    "docker///docker",
    "docker.io/docker///docker",
    "docker/",
    "1a" * 32,
    "____/____",
    "_docker/_docker",
    "dock..er/docker",
    "dock_.er/docker",
    "dock-.er/docker",
    "localhost/repo:" + "t" * 129,
    "localhost/repo:.tag",
    "localhost/repo:one:two",
    f"localhost/repo@{DIGEST}@{DIGEST}",
    "localhost/repo\n",
    "local host/repo",
]


@pytest.mark.parametrize("text", VALID)
def test_a_valid_reference_has_the_parts_docker_sees(text: str) -> None:
    reference = ImageReference.parse_familiar(text)
    parts = (reference.registry, reference.repository, reference.tag, reference.digest)
    assert parts == VALID[text]


@pytest.mark.parametrize("text", VALID)
def test_what_a_valid_reference_means_parses_as_itself(text: str) -> None:
    reference = ImageReference.parse_familiar(text)
    assert ImageReference.parse(str(reference)) == reference


@pytest.mark.parametrize("text", INVALID)
def test_an_invalid_reference_is_refused(text: str) -> None:
    with pytest.raises(InvalidImageReferenceError):
        ImageReference.parse_familiar(text)
