from __future__ import annotations

import json
from dataclasses import replace

from pants_docker_buildkit.buildx.metadata import BuildMaterial
from pants_docker_buildkit.image_record import ImageRecord
from pants_docker_buildkit.oci.digest import parse_oci_digest, sha256_digest
from pants_docker_buildkit.oci.image_platform import ImagePlatform
from pants_docker_buildkit.oci.platform_image import PlatformImage
from pants_docker_buildkit.provenance import provenance_referrer, provenance_statement
from pants_docker_buildkit.solver.definition import (
    BuildDefinition,
    ContextKind,
    NamedContext,
    PinnedSource,
)
from pants_docker_buildkit.solver.result import BuildResult

INDEX, AMD64, ARM64, CONFIG = (parse_oci_digest("sha256:" + each * 64) for each in "abcd")
PLATFORMS = tuple(
    PlatformImage(ImagePlatform.parse(name), digest, CONFIG)
    for name, digest in (("linux/amd64", AMD64), ("linux/arm64", ARM64))
)
RECORD = ImageRecord(
    "src/app:image",
    "blake3:" + "2" * 64,
    BuildResult(
        "blake3:" + "1" * 64,
        INDEX,
        "application/vnd.oci.image.index.v1+json",
        855,
        PLATFORMS,
        (BuildMaterial("git://h/a.git#main", "sha1:" + "e" * 40),),
    ),
    ("localhost:5000/app",),
)
DEFINITION = BuildDefinition(
    dockerfile="f" * 64,
    context=RECORD.context_digest,
    platforms=("linux/amd64", "linux/arm64"),
    output="registry",
    build_args=(("TOKEN", "s3cret"),),
    secret_hashes=(("token", "s3cret-hash"),),
    secret_ids=("token",),
    named_contexts=(NamedContext("a", ContextKind.URL, "https://me:s3cret@h/a?key=s3cret"),),
    sources=(PinnedSource("https://h/?key=s3cret", "https://h/?key=s3cret", CONFIG),),
)


def test_a_statement_is_slsa_provenance_of_the_image_and_its_platforms() -> None:
    statement = json.loads(provenance_statement(RECORD, DEFINITION))
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "https://slsa.dev/provenance/v1"
    assert [(each["name"], each["digest"]) for each in statement["subject"]] == [
        ("src/app:image", {"sha256": "a" * 64}),
        ("src/app:image?platform=linux/amd64", {"sha256": "b" * 64}),
        ("src/app:image?platform=linux/arm64", {"sha256": "c" * 64}),
    ]
    definition = statement["predicate"]["buildDefinition"]
    assert definition["resolvedDependencies"] == [
        {"uri": "git://h/a.git#main", "digest": {"sha1": "e" * 40}}
    ]
    assert definition["internalParameters"]["buildDigest"] == RECORD.result.build_digest
    assert definition["externalParameters"]["buildArguments"] == ["TOKEN"]
    assert definition["externalParameters"]["secrets"] == ["token"]


def test_nothing_secret_and_nothing_of_one_run_is_in_it() -> None:
    text = provenance_statement(RECORD, DEFINITION).decode()
    assert "s3cret" not in text
    predicate = json.loads(text)["predicate"]
    assert set(predicate["runDetails"]) == {"builder"}
    elsewhere = replace(RECORD, repositories=("ghcr.io/org/app", "localhost:5000/app"))
    assert provenance_statement(elsewhere, DEFINITION).decode() == text


def test_a_referrer_is_the_same_bytes_and_names_its_image() -> None:
    statement = provenance_statement(RECORD, DEFINITION)
    one, other = (provenance_referrer(RECORD.result.descriptor, statement) for _ in range(2))
    assert one.manifest == other.manifest
    manifest = json.loads(one.manifest)
    assert manifest["artifactType"] == "application/vnd.in-toto+json"
    assert manifest["subject"] == {
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "digest": INDEX,
        "size": 855,
    }
    assert manifest["config"]["digest"] == sha256_digest(b"{}")
    assert manifest["layers"][0]["digest"] == sha256_digest(statement)
    assert manifest["layers"][0]["annotations"] == {
        "in-toto.io/predicate-type": "https://slsa.dev/provenance/v1"
    }
