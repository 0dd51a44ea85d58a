"""What was typed into one field, and what it may become."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from histoseek.rest.archives import FieldFilter
from histoseek.rest.base import Request, Response, make_example_config
from histoseek.rest.queries import ComposedQuery, ReportQuery, TextQuery


class UnderstandRequest(Request):
    """A text as it was typed or pasted."""

    model_config = make_example_config(
        {"text": "papillary carcinoma organ:kidney age>60 without necrosis"}, {"text": "TCGA-KIRP-0012.svs"}
    )

    # Written as JSON escapes, it still is a body that the server takes.
    text: str = Field(min_length=1, max_length=150_000)


class Reading(Response):
    """One way to take a piece of text.

    kind: words to search for, what is not wanted, a whole report; a slide, patient or case of this name, slides with
    the text in a name; a value of a field, or a condition. text: as the archive has it; slides: how many it leaves,
    null for what is ranked; filter or where: that leaves them; slide_id: of the only one.
    """

    kind: Literal["words", "without", "report", "slide", "patient", "case", "name", "value", "condition"]
    text: str
    slides: int | None
    filter: FieldFilter | None
    where: str | None
    slide_id: str | None


class Part(Response):
    """text[start:end], in Unicode characters, what it is taken for, and what else it could be, the likeliest first."""

    start: int
    end: int
    reading: Reading
    others: tuple[Reading, ...]


class Understanding(Response):
    """What a text is made of, and the question that follows.

    query: what to search with, null where slides are only listed; filters and where: that narrow it; slide_id: the one
    slide that the text names and nothing else.
    """

    parts: tuple[Part, ...]
    query: TextQuery | ReportQuery | ComposedQuery | None = Field(discriminator="kind")
    filters: tuple[FieldFilter, ...]
    where: str | None
    slide_id: str | None


class CompletionsRequest(Request):
    """Complete what is being typed; most: values, and as many slides, patients and cases."""

    model_config = make_example_config({"text": "colon aden"})

    text: str = Field(min_length=1, max_length=4000)
    most: int = Field(default=8, ge=1, le=50, strict=True)


class Completion(Response):
    """Something that the archive has, in place of text[start:], in Unicode characters, of what was typed.

    slides: how many have it, at least one; filter: that leads to them; slide_id: of the only one.
    """

    kind: Literal["value", "slide", "patient", "case"]
    text: str
    start: int
    slides: int
    filter: FieldFilter
    slide_id: str | None


class Completions(Response):
    """The likeliest first."""

    items: tuple[Completion, ...]
