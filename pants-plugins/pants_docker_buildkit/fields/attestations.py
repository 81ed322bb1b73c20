"""Does BuildKit put attestations into the image?"""

from __future__ import annotations

from pants.engine.target import StringSequenceField
from pants.util.strutil import help_text


class BuildKitImageAttestField(StringSequenceField):
    alias = "attest"
    default = ()
    help = help_text(
        """
        The attestations that BuildKit puts into the image index (`--attest`): provenance, an SBOM,
        or both. With them, each build gives another digest, because provenance has the times of the
        build, so that whatever depends on the image is built again with it.
        `[docker-buildkit].provenance` and `sbom_command` put them beside the image instead.

        The image that scans for the SBOM (`generator`) is pinned as base images are, and part of
        the key.

        Example: `attest=["type=provenance,mode=max", "type=sbom"]`.
        """
    )
