"""Does BuildKit put attestations into the image?"""

from __future__ import annotations

from pants.engine.target import StringSequenceField
from pants.util.strutil import help_text


class BuildKitImageAttestField(StringSequenceField):
    alias = "attest"
    default = ()
    help = help_text(
        """
        The attestations that BuildKit adds to the image index (`--attest`): provenance, an SBOM, or
        both. With them, every build gives a different digest, because provenance contains the times
        of the build, so dependents of the image are rebuilt with it. `[docker-buildkit].provenance`
        and `sbom_command` put attestations beside the image instead.

        The image that generates the SBOM (`generator`) is pinned like a base image, and part of the
        key.

        Example: `attest=["type=provenance,mode=max", "type=sbom"]`.
        """
    )
