"""Texts that users write, without the persons that they may name: many short ones at once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from histoseek.deadline import check_deadline
from histoseek.errors import InputError

MOST_WORK = 200_000
"""Characters of different texts in one request: rules look at twenty to two hundred characters a millisecond."""

_WORK_OF_ANY = 50
"""What the shortest text costs, in characters."""


def clean_texts(texts: Iterable[str], what: str) -> Mapping[str, str]:
    """Each of some texts with placeholders for persons; what: names them in errors.

    Raises InputError for so many different ones that a processor would be busy with them for many seconds; OutOfTime.
    """
    from histoseek.reports.privacy.deidentify import deidentify

    clean = {"": ""}
    for text in require_few({text for text in texts if text}, what):
        check_deadline()
        clean[text] = deidentify(text).text
    return clean


def require_few(texts: Collection[str], what: str) -> Collection[str]:
    """The texts; raises InputError for more than can be looked through while somebody waits."""
    if sum(len(text) + _WORK_OF_ANY for text in texts) > MOST_WORK:
        raise InputError(what, "too many different texts for one request", "Send them in several steps")
    return texts
