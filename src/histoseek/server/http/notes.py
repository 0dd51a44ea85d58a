"""What results say of themselves, in sentences for those who search: an operator's business is left out."""

from __future__ import annotations

import re
from collections.abc import Sequence

_FOR_OPERATORS = re.compile(r"histoseek |calibrat|older version|tile space|`")
"""What a command mends, and what the response says in a field of its own (`calibrated_for`)."""

_SENTENCES: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"the query's patient is not known"),
        "The patient of the query is not known: other slides of the same patient may be among the results.",
    ),
    (
        re.compile(r"the query is too small for .*"),
        "The query is small: only its detail was compared, not how it looks from further away.",
    ),
    (
        re.compile(r"the archive is not aligned: these are the reports"),
        "These are the reports of the slides that look most similar.",
    ),
    (
        re.compile(r"the archive is not aligned"),
        "Words were looked for in reports and metadata only: pictures can't be compared with words here.",
    ),
    (
        re.compile(r"the archive has no text encoder"),
        "Only the words themselves were looked for, not their meaning.",
    ),
    (
        re.compile(r"the archive's tuning was learned from slides unlike the query"),
        "The query looks unlike this archive's slides, so results are ranked by appearance alone.",
    ),
    (re.compile(r"only 0 (\S+).* fit the query and the filter beyond"), "There are no more of them."),
    (
        re.compile(r"only (?P<count>\d+) (?P<what>\w+).* fit the query and the filter"),
        "Only {count} {what} are left to choose from.",
    ),
    (re.compile(r"the query is unlike anything here"), ""),
)


def to_notes(warnings: Sequence[str]) -> tuple[str, ...]:
    """The warnings of a search as notes for users, each once; an archive's own of other kinds stay, as sentences."""
    notes = (_to_note(warning) for warning in warnings)
    return tuple(dict.fromkeys(note for note in notes if note))


def _to_note(warning: str) -> str:
    for pattern, sentence in _SENTENCES:
        found = pattern.match(warning)
        if found:
            return sentence.format(**found.groupdict())
    if _FOR_OPERATORS.search(warning):
        return ""
    return f"{warning[:1].upper()}{warning[1:]}{'' if warning.endswith('.') else '.'}"
