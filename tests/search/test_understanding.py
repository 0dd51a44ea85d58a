"""One field: what typed texts are made of, and what they are completed to."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from histoseek.api import Archive
from histoseek.errors import InputError
from histoseek.search.queries import ArchivedSlide, Composed, ReportText, TextQuery
from histoseek.search.scope.fields import FieldFilter
from tests.archive.tables import update_metadata
from tests.evaluation.archives import labelled_archive

REPORT = "DIAGNOSIS: Adenocarcinoma of the colon.\nGROSS: A polyp of 2 cm.\nCOMMENT: Margins are free."


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """Six slides of three patients with values in columns of several types."""
    archive = labelled_archive(tmp_path_factory.mktemp("field"), [0, 0, 0, 1, 1, 1], list(range(6)), tiles=4)
    archive.store.ensure_columns({"age": pa.int64(), "taken": pa.date32(), "scanner": pa.string()})
    for i, slide_id in enumerate(archive.store.slides()):
        values = {
            "diagnosis": "adenocarcinoma" if i < 3 else "squamous cell carcinoma",
            "organ": "colon" if i % 2 else "lung",
            "patient_id": f"PAT-{i // 2}",
            "case_id": f"CASE-{i // 2}",
            "age": 40 + 10 * i,
            "taken": date(2020 + i, 1, 1),
            "scanner": "big-scan 3",
        }
        update_metadata(archive.store, slide_id, values)
    return archive


def kinds(archive: Archive, text: str) -> list[tuple[str, str]]:
    return [(part.reading.kind, part.reading.text) for part in archive.understand(text).parts]


def count(archive: Archive, text: str) -> int:
    found = archive.understand(text)
    where = archive.condition(found.filters)
    both = " AND ".join(str(one) for one in (where, found.where) if one)
    return len(archive.records(both or None))


def test_words_stay_words_and_offer_the_values_that_they_are(archive: Archive) -> None:
    found = archive.understand("mucinous adenocarcinoma of colon")
    assert found.query == TextQuery("mucinous adenocarcinoma of colon")
    assert found.filters == ()
    others = {part.reading.text: [(other.filter, other.slides) for other in part.others] for part in found.parts}
    assert others["adenocarcinoma"][0] == (FieldFilter("metadata", "diagnosis", ("adenocarcinoma",)), 3)
    assert others["colon"][0] == (FieldFilter("metadata", "organ", ("colon",)), 3)
    assert others["mucinous"] == []


@pytest.mark.parametrize(
    ("text", "slides"),
    [
        ("organ:lung", 3),
        ("ORGAN:Lung diagnosis:adenocarcinoma", 2),
        ('scanner:"big scan 3"', 6),
        ("age>60", 3),
        ("age>=60", 4),
        ("age<60", 2),
        ("age:50-70", 3),
        ("age=70", 1),
        ("taken<2022-01-01", 2),
        ("taken:2021-01-01..2023-06-01", 3),
        ("PAT-1", 2),
        ("case-2", 2),
        ("pat-", 6),
    ],
)
def test_conditions_and_names_leave_their_slides(archive: Archive, text: str, slides: int) -> None:
    found = archive.understand(text)
    if text == "pat-":
        assert kinds(archive, text) == [("words", "pat-")]
        return
    assert found.query is None
    assert count(archive, text) == slides
    for part in found.parts:
        assert part.others[-1].kind == "words"


def test_a_condition_that_the_archive_can_not_have_stays_words(archive: Archive) -> None:
    for text in ("nothing:here", "age>old", "http://x.y/z", "organ:breast"):
        assert archive.understand(text).parts[0].reading.kind in {"words", "condition"}
    assert kinds(archive, "nothing:here") == [("words", "nothing:here")]


def test_what_is_not_wanted_is_told(archive: Archive) -> None:
    found = archive.understand("adenocarcinoma -mucin without necrosis and debris.")
    assert found.query == TextQuery("adenocarcinoma", without="mucin, necrosis and debris")
    assert archive.understand("-necrosis").query == TextQuery("necrosis")


def test_a_condition_behind_what_is_not_wanted_stays_a_condition(archive: Archive) -> None:
    text = "adenocarcinoma without necrosis age>40"
    assert kinds(archive, text) == [("words", "adenocarcinoma"), ("without", "necrosis"), ("condition", "age > 40")]
    assert count(archive, text) == 5


def test_a_slide_by_itself_is_opened_and_with_words_asked_with(archive: Archive) -> None:
    slide_id = archive.store.slides()[0]
    alone = archive.understand(f" {slide_id.upper()} ")
    assert (alone.slide_id, alone.query) == (slide_id, None)
    both = archive.understand(f"{slide_id} with necrosis")
    assert both.query == Composed(ArchivedSlide(slide_id), "with necrosis", None)
    assert both.filters == ()
    assert both.slide_id is None


def test_a_part_of_a_name_leads_to_the_slides_that_have_it(archive: Archive) -> None:
    first = archive.store.slides()[0]
    part = archive.understand(first[-5:]).parts[0]
    assert part.reading.kind == "name"
    assert part.reading.filter == FieldFilter("name", "name", (first[-5:],))
    assert count(archive, first[-5:]) == sum(first[-5:] in slide_id for slide_id in archive.store.slides())
    assert kinds(archive, "her2 3+") == [("words", "her2 3+")]


def test_reports_are_told_from_questions(archive: Archive) -> None:
    assert archive.understand(REPORT).query == ReportText(REPORT)
    assert archive.understand(REPORT).parts[0].others[0].kind == "words"
    assert archive.understand("colon\nadenocarcinoma polyp " * 40).parts[0].reading.kind == "report"
    with pytest.raises(InputError):
        archive.understand("x" * 200_001)


@given(st.text(alphabet='ab1 -":<>.\n\tcolon', max_size=60))
def test_parts_stand_in_order_and_lose_nothing(archive: Archive, text: str) -> None:
    parts = archive.understand(text).parts
    end = 0
    for part in parts:
        assert end <= part.start < part.end <= len(text)
        assert not text[end : part.start].strip()
        end = part.end
    assert not text[end:].strip(" ,.;\n\t")


def test_completions_lead_to_slides(archive: Archive) -> None:
    found = archive.completions("mucinous aden")
    assert [(one.kind, one.text, one.start, one.slides) for one in found] == [("value", "adenocarcinoma", 9, 3)]
    assert archive.completions("carc")[0].text == "squamous cell carcinoma"
    named = archive.completions("pat-1")
    assert [(one.kind, one.slides) for one in named] == [("patient", 2)]
    for text in ("a", "s", "c", "b", "p"):
        for one in archive.completions(text):
            assert len(archive.records(archive.condition([one.filter]))) == one.slides > 0
    assert archive.completions("zzz") == archive.completions(" ") == ()


def test_a_value_of_a_column_and_of_reports_is_offered_once_for_each(indexed: Path) -> None:
    archive = Archive.open(indexed)
    diagnosis = archive.records()[0].diagnosis or ""
    offered = [one.filter for one in archive.completions(diagnosis[:5])]
    assert len(offered) == len(set(offered))
    assert {one.source for one in offered} == {"metadata", "report"}


def test_an_empty_archive_understands_words(tmp_path_factory: pytest.TempPathFactory) -> None:
    empty = Archive.create(tmp_path_factory.mktemp("none") / "empty")
    assert empty.understand("organ:lung").query == TextQuery("organ:lung")
    assert empty.completions("organ") == ()
