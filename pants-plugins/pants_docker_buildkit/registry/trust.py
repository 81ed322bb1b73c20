"""The TLS context for a registry's connections."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from pants_docker_buildkit.registry.settings import RegistrySettings

_SYSTEM_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
"""Where Debian, Fedora, SUSE, and Alpine or macOS keep the authorities they trust."""


class UnusableFileError(Exception):
    """A file that a setting names has no certificate or key that can be used."""


def create_tls_context(settings: RegistrySettings) -> ssl.SSLContext:
    """A context that trusts the system's authorities and the settings'.

    Raises `UnusableFileError`.
    """
    context = ssl.create_default_context()
    if not _has_authorities(context):
        # A Python that was built elsewhere may look for them in places this machine lacks.
        _load_first_bundle(context)
    if settings.ca_file:
        with _named("ca_file", settings.ca_file):
            context.load_verify_locations(cafile=settings.ca_file)
    if settings.certificate_file:
        files = filter(None, (settings.certificate_file, settings.key_file))
        with _named("cert_file", " with ".join(files)):
            context.load_cert_chain(settings.certificate_file, settings.key_file)
    return context


@contextmanager
def _named(setting: str, files: str) -> Iterator[None]:
    """Tell which file it is that cannot be used, and what names it."""
    try:
        yield
    except OSError as e:
        finding = e.reason if isinstance(e, ssl.SSLError) else e.strerror
        raise UnusableFileError(f"its `{setting}` {files} cannot be used: {finding or e}") from e


def _has_authorities(context: ssl.SSLContext) -> bool:
    directory = ssl.get_default_verify_paths().capath
    return context.cert_store_stats()["x509_ca"] > 0 or bool(directory and os.listdir(directory))


def _load_first_bundle(context: ssl.SSLContext) -> None:
    for bundle in _SYSTEM_BUNDLES:
        if os.path.isfile(bundle):
            context.load_verify_locations(cafile=bundle)
            return
