"""Why an image is not signed."""

from __future__ import annotations


class SignatureError(Exception):
    """An image could not be signed, or is not signed as it must be. The text is sentences."""


class NotSignedError(SignatureError):
    """No signature of an image is one that was asked for."""
