"""Options of a search: one home for names and defaults."""

from __future__ import annotations

from dataclasses import fields
from inspect import signature
from pathlib import Path

import pytest

from histoseek.api import Archive
from histoseek.cli.search import search as search_command
from histoseek.errors import InputError
from histoseek.rest.queries import ExplainRequest, SearchRequest
from histoseek.search.options import ExplainKeywords, SearchKeywords, SearchOptions

NAMES = {field.name for field in fields(SearchOptions)}


def test_keywords_are_the_options() -> None:
    assert set(SearchKeywords.__annotations__) == NAMES
    assert {name: SearchKeywords.__annotations__[name] for name in ExplainKeywords.__annotations__} == dict(
        ExplainKeywords.__annotations__
    )


def test_commands_and_requests_have_the_defaults_of_the_options() -> None:
    defaults = SearchOptions()
    parameters = signature(search_command).parameters
    assert parameters.keys() & NAMES == NAMES - {"candidates"}
    for name in parameters.keys() & NAMES - {"workers"}:
        assert parameters[name].default == getattr(defaults, name), name
    for model in (SearchRequest, ExplainRequest):
        for name in model.model_fields.keys() & NAMES:
            assert model.model_fields[name].default == getattr(defaults, name), (model, name)


def test_options_and_keywords_give_the_same(indexed: Path) -> None:
    archive = Archive.open(indexed)
    slide_id = archive.store.slides()[0]
    by_keywords = archive.search(like=slide_id, k=3, offset=1, distance="global", same_patient=True)
    options = SearchOptions(k=3, offset=1, distance="global", same_patient=True)
    by_options = archive.search(None, options, like=slide_id)
    assert by_keywords.results == by_options.results
    assert len(by_options) == 3
    with pytest.raises(InputError, match=r"k, where beside them.*either options or keywords"):
        archive.search(None, options, like=slide_id, where="organ = 'lung'", k=2)
    with pytest.raises(TypeError, match="no option 'kk'; there are k, offset, "):
        archive.search(like=slide_id, kk=2)  # type: ignore[call-arg]
