"""Kinds of identifiers, their placeholders, and what a rule returns."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class IdentifierKind(StrEnum):
    """What an identifier is; the value names it in counts."""

    NAME = "name"
    DATE = "date"
    ID = "id"
    PHONE = "phone"
    EMAIL = "email"
    URL = "url"
    IP = "ip"
    ADDRESS = "address"
    AGE = "age over 89"
    INSTITUTION = "institution"

    @property
    def placeholder(self) -> str:
        """What stands in the text instead, such as "[NAME]"."""
        return f"[{self.value.upper()}]"


@dataclass(frozen=True, slots=True)
class Identifier:
    """One identifier: half-open range of characters, and its kind."""

    start: int
    end: int
    kind: IdentifierKind


PLACEHOLDER = re.compile("|".join(re.escape(kind.placeholder) for kind in IdentifierKind))
