"""The stain and the preparation of a slide: what is stated, what is detected, and whether the two agree."""

from __future__ import annotations

import re
from collections.abc import Mapping

from histoseek.archive.schema import MetadataValue, SlideRecord
from histoseek.reports.facts.markers import MARKER, name_markers

STAIN_DETECTED = "stain_detected"
"""The column of what the slide's colours show, `unknown` where they tell nothing; empty where nobody looked."""

PREPARATION = "preparation"
"""The column of `frozen` or `FFPE`, as a table or the file's name says: colours do not tell them apart."""

HE, IHC, SPECIAL, UNKNOWN = "H&E", "IHC", "special", "unknown"

_HE = re.compile(r"\bh\s?(?:&|and|\+|/|-|\.)?\s?e\b|\bhes\b|ha?ematoxylin\W+(?:and\W+)?eosin", re.IGNORECASE)
_IHC = re.compile(r"\bihc\b|immuno(?!fluor)|\bdab\b|\baec\b", re.IGNORECASE)
_NOTHING = re.compile(r"unknown|unstained|n/?a|none|other|\W*", re.IGNORECASE)
MARKER_COLUMNS = ("marker", "antibody", "ihc_marker", "stain_marker")
"""Columns that tables call the marker of an immunostain by."""

_TCGA = re.compile(r"TCGA-\w{2}-\w{4}-\d{2}[A-Z]-\d{2}-(?P<kind>TS|BS|MS|DX)", re.IGNORECASE)
"""Slides of The Cancer Genome Atlas: top, middle and bottom sections are frozen, diagnostic ones are not."""

_FROZEN = re.compile(r"(?<![a-z])(?:frozen|cryo(?:stat|section|sections)?|schnellschnitt)(?![a-z])", re.IGNORECASE)
_FIXED = re.compile(r"(?<![a-z])(?:ffpe|paraffin)(?![a-z])", re.IGNORECASE)


def read_preparation(*names: str | None) -> str | None:
    """`frozen` or `FFPE` where a name or a stated stain says so, None where none does, or they say both."""
    found = set()
    for name in filter(None, names):
        barcode = _TCGA.search(name)
        if barcode:
            found.add("FFPE" if barcode["kind"].upper() == "DX" else "frozen")
        found |= {"frozen"} if _FROZEN.search(name.replace("_", " ")) else set()
        found |= {"FFPE"} if _FIXED.search(name.replace("_", " ")) else set()
    return found.pop() if len(found) == 1 else None


def name_stain(stated: str | None) -> str:
    """What a stated stain is, however it is written: "H&E", "IHC" with its marker where one is named ("IHC Ki-67"),
    "special" with its name in small letters ("special pas"), or "unknown"."""
    text = (stated or "").strip()
    if _NOTHING.fullmatch(text):
        return UNKNOWN
    if _HE.search(text):
        return HE
    marker = MARKER.search(text)
    if marker:
        return f"{IHC} {name_markers(marker.group())[0]}"
    if _IHC.search(text):
        return IHC
    name = " ".join(re.findall(r"\w+", text.casefold()))
    return SPECIAL if name == SPECIAL else f"{SPECIAL} {name}"


def choose_stain(stated: str | None, further: Mapping[str, MetadataValue]) -> str:
    """The stain of a slide: as stated, with the marker of a column of its own, else as detected.

    further: the values of its further columns.
    """
    stain = name_stain(stated)
    if stain == UNKNOWN:
        stain = str(further.get(STAIN_DETECTED) or UNKNOWN)
    if stain == IHC:
        markers = (further.get(column) for column in MARKER_COLUMNS)
        return next((f"{IHC} {_name_marker(str(marker))}" for marker in markers if marker), stain)
    return stain


def disagree(record: SlideRecord) -> bool:
    """Whether the colours show another stain than is stated; H&E is no evidence against a special stain, some of which
    are pink and purple as well."""
    stated, detected = name_stain(record.stain).split()[0], record.extra.get(STAIN_DETECTED)
    if stated == UNKNOWN or detected in (None, UNKNOWN, stated):
        return False
    return not (stated == SPECIAL and detected == HE)


def add_stain(
    record: SlideRecord, stated: str | None, before: SlideRecord | None, detected: str | None
) -> tuple[str | None, Mapping[str, MetadataValue]]:
    """The stain of a record, and its further columns with what was detected.

    stated: by a table of this run; before: the archive's record; detected: now, None where nobody looked. What was
    stated once stays; what was detected gives way to what is stated or detected later.
    """
    extra = dict(record.extra)
    former = before.extra.get(STAIN_DETECTED) if before else None
    detected = detected or (str(former) if former else None)
    if detected:
        extra[STAIN_DETECTED] = detected
    if not extra.get(PREPARATION):
        preparation = read_preparation(record.uri.rpartition("/")[2], record.slide_id, stated)
        if preparation:
            extra[PREPARATION] = preparation
    was_stated = before.stain if before and before.stain != former else None
    stain = stated or was_stated or (detected if detected != UNKNOWN else None)
    return stain, extra


def _name_marker(text: str) -> str:
    marker = MARKER.search(text)
    return name_markers(marker.group())[0] if marker else text.strip().casefold()
