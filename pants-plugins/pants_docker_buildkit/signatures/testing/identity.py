"""A signer whom a certificate names, and who may be trusted without a network. For tests only.

Nobody trusts its authority, so the key may be public. Valid until 2126. Made by `openssl x509 -req`
with the extensions that Fulcio gives: `subjectAltName=URI:`, the identity, and
`1.3.6.1.4.1.57264.1.8=ASN1:UTF8String:`, the issuer.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pants_docker_buildkit.signatures.testing.real_cosign import WITHOUT_NETWORK, run_cosign

IDENTITY = "https://ci.example/app/release"
ISSUER = "https://issuer.example"


@dataclass(frozen=True)
class CertifiedSigner:
    """Files in a directory: the key with its certificate, and the root of trust for it."""

    directory: Path

    @classmethod
    def create(cls, directory: Path) -> CertifiedSigner:
        """The signer, whose files are written."""
        signer = cls(directory)
        for name, content in (("ca.pem", _AUTHORITY), ("leaf.pem", _LEAF), ("leaf.key", _LEAF_KEY)):
            (directory / name).write_text(content)
        key, prefix = str(directory / "leaf.key"), str(directory / "signer")
        _succeed("import-key-pair", "--key", key, "--output-key-prefix", prefix)
        authority = f"url=https://fulcio.example,certificate-chain={directory / 'ca.pem'}"
        root = ("--fulcio", authority, "--out", str(signer.trusted_root))
        _succeed("trusted-root", "create", *root)
        return signer

    @property
    def trusted_root(self) -> Path:
        """What `--trusted-root` names."""
        return self.directory / "trusted_root.json"

    def sign(self, reference: str) -> None:
        """`cosign sign`, which talks to the registry itself."""
        key = ("--key", str(self.directory / "signer.key"))
        certificate = ("--certificate", str(self.directory / "leaf.pem"))
        chain = ("--certificate-chain", str(self.directory / "ca.pem"))
        options = (*certificate, *chain, "--allow-http-registry", *WITHOUT_NETWORK)
        _succeed("sign", *key, *options, reference)


def _succeed(*arguments: str) -> None:
    done = run_cosign(*arguments)
    assert done.returncode == 0, done.stderr


_AUTHORITY = """\
-----BEGIN CERTIFICATE-----
MIIBujCCAV+gAwIBAgIURqRy8SRJtylV8bCoeCQ9+FwC4nUwCgYIKoZIzj0EAwIw
LzEQMA4GA1UECgwHZXhhbXBsZTEbMBkGA1UEAwwSYXV0aG9yaXR5IG9mIHRlc3Rz
MCAXDTI2MTEyNjE2MTc1OVoYDzIxMjYxMTAyMTYxNzU5WjAvMRAwDgYDVQQKDAdl
eGFtcGxlMRswGQYDVQQDDBJhdXRob3JpdHkgb2YgdGVzdHMwWTATBgcqhkjOPQIB
BggqhkjOPQMBBwNCAAQq66n0YMNdW0BEbWOz5GPRJNA5lAxB49fjcpzVcMZjR1mz
7g/gXqYs8pMVW6WbnR88OjREFx/fXx7v+XykXeaeo1cwVTAPBgNVHRMBAf8EBTAD
AQH/MA4GA1UdDwEB/wQEAwIBBjATBgNVHSUEDDAKBggrBgEFBQcDAzAdBgNVHQ4E
FgQUOCigmJ5Ael6izcobXruYJtgUIw0wCgYIKoZIzj0EAwIDSQAwRgIhANJAF9pN
7jlmomUF22uVs9s23ivP5ZRiZlYble3tIIDAAiEAjUbWokjUpvBeo2WvXlGq06wP
iH3N5lukuq1GBUtU3jk=
-----END CERTIFICATE-----
"""

_LEAF = """\
-----BEGIN CERTIFICATE-----
MIIB/DCCAaOgAwIBAgIUHpVHPqsyVwMgdBZdaaobg58YgB8wCgYIKoZIzj0EAwIw
LzEQMA4GA1UECgwHZXhhbXBsZTEbMBkGA1UEAwwSYXV0aG9yaXR5IG9mIHRlc3Rz
MCAXDTI2MTEyNjE2MTc1OVoYDzIxMjYxMTAyMTYxNzU5WjAAMFkwEwYHKoZIzj0C
AQYIKoZIzj0DAQcDQgAEg1aXFo5L205vJWPQoRlVK0Tn559EwttgDwZ0fIfUPWCO
zKpmXuQ8j/PExrfb2u9U1u6RkOu7dnMdrVh1QiefZ6OByTCBxjAMBgNVHRMBAf8E
AjAAMA4GA1UdDwEB/wQEAwIHgDATBgNVHSUEDDAKBggrBgEFBQcDAzApBgNVHREE
IjAghh5odHRwczovL2NpLmV4YW1wbGUvYXBwL3JlbGVhc2UwJgYKKwYBBAGDvzAB
CAQYDBZodHRwczovL2lzc3Vlci5leGFtcGxlMB0GA1UdDgQWBBSUMVay9U1O09RV
kolLILxBMyTc1DAfBgNVHSMEGDAWgBQ4KKCYnkB6XqLNyhteu5gm2BQjDTAKBggq
hkjOPQQDAgNHADBEAiBxhxVsZa/2fhVlGacQJOgV3VuOprdCgOJDbhQPlwU6BgIg
JNAAt46R2m2kG+ntYWPvSD6c0LQqQzZ34Ht/vp0B6ds=
-----END CERTIFICATE-----
"""

_LEAF_KEY = """\
-----BEGIN EC PRIVATE KEY-----
MHcCAQEEIEXyE3DEnFVU053/ThB35kj8pUsVzHXGPH+0cpKyP3Y4oAoGCCqGSM49
AwEHoUQDQgAEg1aXFo5L205vJWPQoRlVK0Tn559EwttgDwZ0fIfUPWCOzKpmXuQ8
j/PExrfb2u9U1u6RkOu7dnMdrVh1QiefZw==
-----END EC PRIVATE KEY-----
"""
