"""Fields that hold a number."""

from __future__ import annotations

from typing import Optional

from pants.engine.addresses import Address
from pants.engine.target import IntField, InvalidFieldTypeException


class NumberField(IntField):
    """A whole number. Pants takes `True` for one, too, which nobody means."""

    @classmethod
    def compute_value(cls, raw_value: Optional[int], address: Address) -> Optional[int]:
        """The number as written."""
        if isinstance(raw_value, bool):
            raise InvalidFieldTypeException(
                address, cls.alias, raw_value, expected_type="an integer"
            )
        return super().compute_value(raw_value, address)
