"""What to say of a text that should be something and is not."""

from __future__ import annotations


class InvalidTextError(ValueError):
    """A text is not the `noun` that it should be.

    `requirement` completes "must …", so that a caller can say it of its own field.
    """

    noun = "text"

    def __init__(self, text: str, requirement: str) -> None:
        self.text = text
        self.requirement = requirement
        super().__init__(f"The {self.noun} {text!r} must {requirement}.")
