"""Texts of report files."""

from __future__ import annotations

from histoseek.rest.base import Response


class ReportText(Response):
    """The text of a report file without identifiers; name: of the file, as it may be shown."""

    name: str
    text: str
