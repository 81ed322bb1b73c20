"""What was built, from what and how: SLSA provenance, from the record and definition of an image.

https://slsa.dev/spec/v1.0/provenance in a https://github.com/in-toto/attestation statement. Nothing
in it belongs to one run, so that the same image has the same provenance wherever, and whenever, it
is made: for images that were restored or skipped, too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from pants_docker_buildkit.buildx.metadata import BuildMaterial
from pants_docker_buildkit.image_record import ImageRecord
from pants_docker_buildkit.oci.descriptor import Descriptor
from pants_docker_buildkit.oci.referrer import Referrer
from pants_docker_buildkit.registry.redaction import redact_urls
from pants_docker_buildkit.solver.definition import BuildDefinition

FILE_ENDING = "provenance.json"
PREDICATE_TYPE = "https://slsa.dev/provenance/v1"

_HOME = "https://github.com/pants-docker-buildkit/pants-docker-buildkit"
_BUILD_TYPE = f"{_HOME}/blob/main/docs/supply-chain.md#provenance"
_STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
_MEDIA_TYPE = "application/vnd.in-toto+json"
_PREDICATE_ANNOTATION = "in-toto.io/predicate-type"


def provenance_statement(record: ImageRecord, definition: BuildDefinition) -> bytes:
    """The statement of an image. The same bytes for the same image and definition.

    Values of build arguments and hashes of secrets are left out: of stages that are not in the
    image, only who builds knows them.
    """
    document = {
        "_type": _STATEMENT_TYPE,
        "subject": list(_subjects(record)),
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "buildDefinition": {
                "buildType": _BUILD_TYPE,
                "externalParameters": _parameters(record, definition),
                "internalParameters": {
                    "buildDigest": record.result.build_digest,
                    "contextDigest": record.context_digest,
                },
                "resolvedDependencies": [_dependency(each) for each in record.result.materials],
            },
            "runDetails": {"builder": {"id": _HOME}},
        },
    }
    return (json.dumps(document, indent=1) + "\n").encode()


def provenance_referrer(image: Descriptor, statement: bytes) -> Referrer:
    """The statement as it lies beside the image in a registry."""
    annotations = ((_PREDICATE_ANNOTATION, PREDICATE_TYPE),)
    return Referrer(image, _MEDIA_TYPE, statement, annotations)


def _subjects(record: ImageRecord) -> Iterable[dict[str, Any]]:
    """The image, and that for each platform, where it has several."""
    yield _subject(record.target, record.image_digest)
    for each in record.result.platforms:
        if each.manifest_digest != record.image_digest:
            yield _subject(f"{record.target}?platform={each.platform}", each.manifest_digest)


def _subject(name: str, digest: str) -> dict[str, Any]:
    return {"name": name, "digest": _digest_set(digest)}


def _digest_set(digest: str) -> dict[str, str]:
    algorithm, _, value = digest.partition(":")
    return {algorithm: value}


def _dependency(material: BuildMaterial) -> dict[str, Any]:
    return {"uri": material.uri, "digest": _digest_set(material.digest)}


def _parameters(record: ImageRecord, definition: BuildDefinition) -> dict[str, Any]:
    """What the BUILD file asks for, without what is a default or is named elsewhere."""
    asked = {
        "target": record.target,
        "dockerfile": {"sha256": definition.dockerfile},
        "platforms": definition.platforms,
        "targetStage": definition.target_stage,
        "output": definition.output,
        "buildArguments": [name for name, _ in definition.build_args],
        "namedContexts": {
            each.name: f"{each.kind.value}:{redact_urls(each.value)}".rstrip(":")
            for each in definition.named_contexts
        },
        "labels": dict(definition.labels),
        "annotations": dict(definition.annotations),
        "secrets": definition.secret_ids,
        "ssh": definition.ssh_ids,
        "network": definition.network,
        "extraHosts": dict(definition.extra_hosts),
        "entitlements": definition.entitlements,
        "policies": dict(definition.policies),
        "reproducible": definition.reproducible,
    }
    return {name: value for name, value in asked.items() if value}
