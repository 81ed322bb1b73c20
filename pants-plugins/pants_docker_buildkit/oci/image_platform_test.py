from __future__ import annotations

import pytest

from pants_docker_buildkit.oci.image_platform import ImagePlatform, InvalidImagePlatformError


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("linux/amd64", "linux/amd64"),
        ("amd64", "linux/amd64"),
        ("x86_64", "linux/amd64"),
        ("Linux/x86-64", "linux/amd64"),
        ("linux/amd64/v1", "linux/amd64"),
        ("linux/amd64/v2", "linux/amd64/v2"),
        ("Aarch64", "linux/arm64"),
        ("linux/arm64/v8", "linux/arm64"),
        ("linux/arm64/8", "linux/arm64"),
        ("linux/arm64/v9.0", "linux/arm64/v9"),
        ("linux/arm", "linux/arm/v7"),
        ("linux/arm/7", "linux/arm/v7"),
        ("linux/arm/v6", "linux/arm/v6"),
        ("arm", "linux/arm/v7"),
        ("armhf", "linux/arm/v7"),
        ("armel", "linux/arm/v6"),
        ("i386", "linux/386"),
        ("s390x", "linux/s390x"),
        ("linux/riscv64", "linux/riscv64"),
        ("wasi/wasm", "wasi/wasm"),
        ("android/arm64", "android/arm64"),
        ("linux/ppc", "linux/ppc"),
        ("linux/riscv", "linux/riscv"),
        ("macos/arm64", "darwin/arm64"),
        ("windows(10.0.17763)/amd64", "windows(10.0.17763)/amd64"),
        ("windows()/amd64", "windows/amd64"),
    ],
)
def test_a_platform_prints_as_buildkit_prints_it(text: str, canonical: str) -> None:
    platform = ImagePlatform.parse(text)
    assert str(platform) == canonical
    assert ImagePlatform.parse(canonical) == platform


@pytest.mark.parametrize(
    ("text", "requirement"),
    [
        ("", "must be 'os/architecture' or 'os/architecture/variant', as in 'linux/amd64'"),
        ("linux/", "must be 'os/architecture'"),
        ("linux/arm/v7/extra", "must be 'os/architecture'"),
        ("linux/*", "must be 'os/architecture'"),
        ("linux/amd64,linux/arm64", "must be 'os/architecture'"),
        ("linux", "must name an architecture too, as in 'linux/amd64'"),
        ("linus/amd64", "must name one of these operating systems: aix, android,"),
        ("linux/amd46", "must name one of these architectures: 386, amd64, arm, arm64,"),
        ("local", "must name one of these architectures"),
    ],
)
def test_a_bad_platform_is_refused_with_what_is_expected(text: str, requirement: str) -> None:
    with pytest.raises(InvalidImagePlatformError) as info:
        ImagePlatform.parse(text)
    assert f"The platform '{text}' {requirement}" in str(info.value)


def test_create_takes_the_platform_of_an_attestation_as_it_is() -> None:
    assert str(ImagePlatform.create("unknown", "unknown")) == "unknown/unknown"
