"""Search over REST against the same search in Python: equal ids, scores and explanations."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from histoseek.api import Archive
from histoseek.client.client import Client
from histoseek.client.errors import ServerProblem
from histoseek.geometry import Rect
from histoseek.jsonable import plain
from histoseek.rest.archives import FieldFilter, ListRequest
from histoseek.rest.queries import (
    Box,
    CaseQuery,
    ComposedQuery,
    DifferentialRequest,
    ExplainRequest,
    Marks,
    PhrasesRequest,
    PictureQuery,
    Query,
    RegionQuery,
    ReportQuery,
    SearchRequest,
    SlideQuery,
    SlideRef,
    TextQuery,
)
from histoseek.search import queries as python
from histoseek.search.results import SearchResults
from tests.server.conftest import new_client
from tests.server.running import RunningServer

SLIDE = "SIM-0000-00"
TEXT = "adenocarcinoma with necrosis"
_ROUNDED = ("score", "local", "similarity", "distance", "share", "contribution", "global")


@pytest.fixture(scope="module")
def archive(indexed: Path) -> Archive:
    return Archive.open(indexed)


@pytest.fixture(scope="module")
def asking(kept_server: RunningServer) -> Iterator[Client]:
    with new_client(kept_server, "read") as client:
        yield client


@pytest.fixture(scope="module")
def outside(kept_server: RunningServer, shared_data: Path) -> Iterator[tuple[Client, Path, str]]:
    """A client, a slide that no archive has, and the id under which it was uploaded."""
    path = shared_data / "slides" / "CMU-1-Small-Region.svs"
    with new_client(kept_server) as client:
        yield client, path, client.upload(path).upload_id


def told(results: SearchResults) -> list[dict[str, Any]]:
    """What Python found, as the REST API tells it."""
    found = json.loads(results.to_json())["results"]
    for one in found:
        one.pop("record")
        pairs = [{"field": pair["region"], "query_field": pair["query_region"]} for pair in one.pop("fields")]
        first = pairs[0] if pairs else {"field": None, "query_field": None}
        one.update(**first, further_fields=pairs[1:])
    return [rounded(one) for one in found]


def answered(client: Client, request: SearchRequest) -> list[dict[str, Any]]:
    found = client.search("cohort", request).model_dump(mode="json", by_alias=True)["results"]
    for one in found:
        del one["slide"], one["report_text"]
    return [rounded(one) for one in found]


def rounded(value: Any) -> Any:
    """Numbers to six digits: processes add up in different orders."""
    if isinstance(value, dict):
        return {name: rounded(part) for name, part in value.items()}
    if isinstance(value, list):
        return [rounded(part) for part in value]
    return round(value, 6) if isinstance(value, float) else value


def test_phrases_of_an_archive_without_a_space_for_them_are_refused_in_one_line(asking: Client) -> None:
    assert not asking.get_archive("cohort").measures_regions
    with pytest.raises(ServerProblem) as refused:
        asking.find_phrases("cohort", PhrasesRequest(query=SlideQuery(slide=SlideRef(slide_id=SLIDE))))
    assert "it is not aligned with reports" in str(refused.value) and "\n" not in str(refused.value)


def test_a_differential_is_the_one_of_python(asking: Client, archive: Archive) -> None:
    request = DifferentialRequest(
        query=SlideQuery(slide=SlideRef(slide_id=SLIDE)),
        filters=(FieldFilter(field="stain", values=("H&E",)),),
        cases=2,
    )
    response = asking.build_differential("cohort", request)
    python_one = archive.differential(like=SLIDE, where="stain = 'H&E'", cases=2)
    assert [column.label for column in response.columns] == [column.label for column in python_one]
    for column, wanted in zip(response.columns, python_one, strict=True):
        assert [one.slide_id for one in column.nearest] == [one.slide_id for one in wanted.nearest]
        assert [term.name for term in column.terms] == [term.name for term in wanted.terms]
        assert column.counter_example and wanted.counter_example
        assert column.counter_example.result.slide_id == wanted.counter_example.result.slide_id


def test_a_differential_of_one_diagnosis_is_refused_in_one_line(asking: Client) -> None:
    request = DifferentialRequest(query=SlideQuery(slide=SlideRef(slide_id=SLIDE)), labels=("lymphoma",))
    with pytest.raises(ServerProblem, match="2 to 4"):
        asking.build_differential("cohort", request)


ARCHIVED: dict[str, tuple[Query, python.Query]] = {
    "slide": (SlideQuery(slide=SlideRef(slide_id=SLIDE)), python.ArchivedSlide(SLIDE)),
    "region in px": (
        RegionQuery(slide=SlideRef(slide_id=SLIDE), regions=(Box(x=100, y=200, width=400, height=300),)),
        python.Region(python.ArchivedSlide(SLIDE), (Rect(100, 200, 400, 300),)),
    ),
    "region in um": (
        RegionQuery(slide=SlideRef(slide_id=SLIDE), regions=(Box(x=50, y=100, width=200, height=150),), unit="um"),
        python.Region(python.ArchivedSlide(SLIDE), (Rect(50, 100, 200, 150),), "um"),
    ),
    "case": (CaseQuery(case_id="SIM-0001"), python.ArchivedCase("SIM-0001")),
    "slides of a case": (
        CaseQuery(slides=(SlideRef(slide_id="SIM-0001-00"), SlideRef(slide_id="SIM-0001-01"))),
        python.Case((python.ArchivedSlide("SIM-0001-00"), python.ArchivedSlide("SIM-0001-01"))),
    ),
    "text": (TextQuery(text=TEXT), python.TextQuery(TEXT)),
    "text without": (
        TextQuery(text="colon", without="necrosis", patient_id="SIM-0-0000"),
        python.TextQuery("colon", "SIM-0-0000", "necrosis"),
    ),
    "report": (ReportQuery(slide_id=SLIDE), python.ArchivedReport(SLIDE)),
    "report as text": (
        ReportQuery(text="Diagnosis: adenocarcinoma of the colon."),
        python.ReportText("Diagnosis: adenocarcinoma of the colon."),
    ),
    "composed": (
        ComposedQuery(image=SlideQuery(slide=SlideRef(slide_id=SLIDE)), text="necrosis", weight=0.25),
        python.Composed(python.ArchivedSlide(SLIDE), "necrosis", None, 0.25),
    ),
    "composed without": (
        ComposedQuery(image=CaseQuery(case_id="SIM-0001"), without="necrosis"),
        python.Composed(python.ArchivedCase("SIM-0001"), None, "necrosis"),
    ),
}


@pytest.mark.parametrize("kind", ARCHIVED)
def test_a_query_with_what_the_archive_has_finds_what_python_finds(asking: Client, archive: Archive, kind: str) -> None:
    query, same = ARCHIVED[kind]
    found = answered(asking, SearchRequest(query=query, k=4))
    assert found == told(archive.search(same, k=4))
    assert found


def test_the_field_of_a_result_and_its_counterpart_can_be_shown_at_one_scale(asking: Client) -> None:
    found = asking.search("cohort", SearchRequest(query=ARCHIVED["region in px"][0], k=2))
    assert found.field_um == 200
    for result in found.results:
        assert result.field and result.query_field and result.field.width == result.query_field.width
        for slide_id, field in ((result.slide_id, result.field), (SLIDE, result.query_field)):
            shown = Image.open(io.BytesIO(asking.get_region("cohort", slide_id, field, um_per_px=1.0)))
            assert shown.size == (200, 200)


@pytest.mark.parametrize("kind", ["slide", "text", "composed"])
def test_reports_can_be_searched(asking: Client, archive: Archive, kind: str) -> None:
    query, same = ARCHIVED[kind]
    found = answered(asking, SearchRequest(query=query, k=3, to="reports"))
    assert found == told(archive.search(same, k=3, to="reports"))


def test_an_upload_finds_what_its_file_finds(outside: tuple[Client, Path, str], archive: Archive) -> None:
    client, path, upload_id = outside
    request = SearchRequest(query=SlideQuery(slide=SlideRef(upload_id=upload_id)), k=4)
    assert answered(client, request) == told(archive.search(path, k=4))
    echo = client.search("cohort", request).query
    assert [(one.upload_id, one.slide_id, one.name) for one in echo.slides] == [(upload_id, None, path.name)]


@pytest.mark.parametrize("unit", ["px", "um"])
def test_a_region_of_an_upload_finds_what_that_of_its_file_finds(
    outside: tuple[Client, Path, str], archive: Archive, unit: Any
) -> None:
    client, path, upload_id = outside
    box = Box(x=300, y=400, width=500, height=700)
    request = SearchRequest(query=RegionQuery(slide=SlideRef(upload_id=upload_id), regions=(box,), unit=unit), k=3)
    same = python.Region(python.SlideFile(path), (Rect(300, 400, 500, 700),), unit)
    assert answered(client, request) == told(archive.search(same, k=3))


def test_a_picture_finds_what_its_file_finds(
    kept_server: RunningServer, archive: Archive, shared_data: Path, tmp_path: Path
) -> None:
    path = tmp_path / "crop.png"  # a file that does not state its spacing, as the original does
    Image.open(min((shared_data / "tiles" / "cryonuseg").iterdir())).save(path)
    with new_client(kept_server) as client:
        upload = client.upload(path)
        request = SearchRequest(query=PictureQuery(upload_id=upload.upload_id, spacing_um_per_px=0.25), k=3)
        assert answered(client, request) == told(archive.search(python.TileImage(path, 0.25), k=3))
        with pytest.raises(ServerProblem, match="µm"):
            answered(client, SearchRequest(query=SlideQuery(slide=SlideRef(upload_id=upload.upload_id))))


def test_an_upload_and_words_together_find_what_python_finds(
    outside: tuple[Client, Path, str], archive: Archive
) -> None:
    client, path, upload_id = outside
    image = SlideQuery(slide=SlideRef(upload_id=upload_id, patient_id="SIM-0-0001"))
    request = SearchRequest(query=ComposedQuery(image=image, text="colon"), k=3)
    same = python.Composed(python.SlideFile(path, patient_id="SIM-0-0001"), "colon")
    assert answered(client, request) == told(archive.search(same, k=3))


def test_an_upload_of_a_slide_that_the_archive_has_is_that_slide(
    client: Client, archive: Archive, cohort: Path
) -> None:
    upload = client.upload(cohort / f"{SLIDE}.tiff")
    request = SearchRequest(query=SlideQuery(slide=SlideRef(upload_id=upload.upload_id)), k=3)
    assert answered(client, request) == told(archive.search(like=SLIDE, k=3))


def test_the_patient_named_with_an_upload_is_left_out_beside_the_one_that_the_archive_knows(
    client: Client, archive: Archive, cohort: Path
) -> None:
    upload_id = client.upload(cohort / f"{SLIDE}.tiff").upload_id
    known, named = archive.get(SLIDE).record.patient_id, "SIM-0-0003"
    assert named != known
    slide = SlideRef(upload_id=upload_id, patient_id=f" {named} ")
    for query in (
        SlideQuery(slide=slide),
        RegionQuery(slide=slide, regions=(Box(x=0, y=0, width=700, height=700),)),
        PictureQuery(upload_id=upload_id, spacing_um_per_px=0.5, patient_id=named),
    ):
        found = answered(client, SearchRequest(query=query, k=10))
        patients = {archive.get(one["slide_id"]).record.patient_id for one in found}
        assert len(patients) == 3
        assert not {known, named} & patients


def test_marks_rank_anew(asking: Client, archive: Archive) -> None:
    marks = Marks(relevant=("SIM-0002-00",), irrelevant=("SIM-0003-00",))
    request = SearchRequest(query=ARCHIVED["slide"][0], k=5, marks=marks)
    same = python.Refined(python.ArchivedSlide(SLIDE), ("SIM-0002-00",), ("SIM-0003-00",))
    found = answered(asking, request)
    assert found == told(archive.search(same, k=5))
    assert found[0]["slide_id"] == "SIM-0002-00"
    assert "SIM-0003-00" not in {one["slide_id"] for one in found}


@pytest.mark.parametrize(
    "options",
    [
        {"where": "organ = 'colon'"},
        {"same_patient": True},
        {"by_case": True},
        {"exact": True},
        {"distance": "global"},
        {"offset": 2},
        {"vote": "diagnosis"},
        {"to": "cases"},
    ],
    ids=str,
)
def test_options_are_those_of_python(asking: Client, archive: Archive, options: dict[str, Any]) -> None:
    query, same = ARCHIVED["slide"]
    assert answered(asking, SearchRequest(query=query, k=3, **options)) == told(archive.search(same, k=3, **options))


def test_filters_by_value_narrow(asking: Client, archive: Archive) -> None:
    query, same = ARCHIVED["slide"]
    filters = (FieldFilter(field="diagnosis", values=("adenocarcinoma",)), FieldFilter(field="age", values=(80, 30)))
    where = "diagnosis IN ('adenocarcinoma') AND age IN (80, 30)"
    expected = told(archive.search(same, k=5, where=where, same_patient=True))
    found = answered(asking, SearchRequest(query=query, k=5, filters=filters, same_patient=True))
    assert found == expected
    assert expected


def test_the_vote_is_python_s(asking: Client, archive: Archive) -> None:
    query, same = ARCHIVED["slide"]
    vote = asking.search("cohort", SearchRequest(query=query, k=6, vote="organ")).vote
    expected = archive.search(same, k=6, vote="organ").vote_
    assert vote
    assert expected
    assert vote.majority.label == expected.majority.label
    assert [(one.label, one.share) for one in vote.majority.shares] == [
        (one["label"], one["share"]) for one in plain(expected.majority)["shares"]
    ]


def test_pages_follow_each_other_without_gaps(asking: Client) -> None:
    query = SlideQuery(slide=SlideRef(slide_id=SLIDE))
    whole = asking.search("cohort", SearchRequest(query=query, k=100))
    found: list[str] = []
    offset: int | None = 0
    while offset is not None:
        page = asking.search("cohort", SearchRequest(query=query, k=3, offset=offset))
        assert [one.rank for one in page.results] == list(range(offset + 1, offset + 1 + len(page.results)))
        found += [one.slide_id for one in page.results]
        offset = page.next_offset
    assert found == [one.slide_id for one in whole.results]
    assert len(found) == 8
    assert whole.next_offset is None


def test_a_pair_is_explained_as_python_does(asking: Client, archive: Archive) -> None:
    query, same = ARCHIVED["slide"]
    answer = asking.explain("cohort", ExplainRequest(query=query, slide_id="SIM-0004-01"))
    expected = archive.explain(same, "SIM-0004-01")
    told_ = answer.result.model_dump(mode="json", by_alias=True)
    assert rounded(told_["explanation"]) == rounded(plain(expected.explanation))
    assert answer.query_attention
    assert answer.result_attention
    assert expected.attention
    weights = expected.attention.result.contribution()
    assert list(answer.result_attention.contribution.weights) == pytest.approx(weights.weights.tolist(), abs=1e-6)
    assert list(answer.result_attention.contribution.x) == weights.coords[:, 0].tolist()


def test_facets_count_what_python_counts(asking: Client, archive: Archive) -> None:
    facets = asking.count_facets("cohort", where="organ = 'colon'")
    expected = archive.facets("organ = 'colon'")
    fields = {(one.source, one.field) for one in expected}
    chosen = [one for one in facets.fields if (one.source, one.field) in fields]
    found = {(one.source, one.field, value.value): value.count for one in chosen for value in one.values}
    assert found == {(one.source, one.field, one.value): one.count for one in expected}
    assert facets.slides == sum(value for (*key, _), value in found.items() if key == ["metadata", "organ"])


def test_numbers_are_spread_and_filtered_by_ranges(asking: Client, archive: Archive) -> None:
    ages = {one.slide_id: one.extra["age"] for one in archive.records()}
    field = next(one for one in asking.count_facets("cohort").fields if one.field == "age")
    assert (field.kind, field.values, field.missing) == ("number", (), 0)
    assert sum(one.count for one in field.bins) == len(ages)
    lowest = min(ages.values())
    within = FieldFilter(field="age", minimum=lowest, maximum=lowest)
    wanted = {slide_id for slide_id, age in ages.items() if age == lowest}
    request = SearchRequest(query=TextQuery(text="carcinoma"), filters=(within,), k=20)
    assert {one.slide_id for one in asking.search("cohort", request).results} <= wanted
    page = asking.list_slide_page("cohort", ListRequest(filters=(within,)))
    assert ({one.slide_id for one in page.items}, page.total, page.next) == (wanted, len(wanted), None)
    for wrong in ({"minimum": 9, "maximum": 1}, {"minimum": "old"}):
        with pytest.raises(ServerProblem, match="age"):
            asking.list_slide_page("cohort", ListRequest(filters=(FieldFilter(field="age", **wrong),)))


def test_cases_and_patients_are_trays(asking: Client, archive: Archive) -> None:
    record = next(one for one in archive.records() if one.report)
    own = {one.slide_id for one in archive.records() if one.patient_id == record.patient_id}
    tray = asking.get_patient("cohort", record.patient_id or "")
    assert {slide.slide_id for case in tray.cases for slide in case.slides} == own
    assert tray.total == len(own)
    case = asking.get_case("cohort", record.case_id or "").cases[0]
    (told,) = [one for one in case.reports if record.slide_id in one.slide_ids]
    assert (told.report.text, bool(told.report.sections)) == (record.report, True)
    for ask in (asking.get_case, asking.get_patient):
        with pytest.raises(ServerProblem, match="no slides of this"):
            ask("cohort", "no/body")


def test_slides_are_listed_in_any_order(asking: Client, archive: Archive) -> None:
    records = archive.records()
    newest = asking.list_slide_page("cohort").items
    assert [one.created for one in newest] == sorted((one.created for one in records), reverse=True)
    found: list[str] = []
    after: str | None = None
    while True:
        request = ListRequest(sort="age", descending=False, limit=3, after=after)
        page = asking.list_slide_page("cohort", request)
        found += [one.slide_id for one in page.items]
        after = page.next
        if after is None:
            break
    assert page.total == len(records)
    assert found == [one.slide_id for one in sorted(records, key=lambda one: (one.extra["age"], one.slide_id))]
    for wrong in ({"sort": "uri"}, {"after": "abc"}, {"where": "uri = 'x'"}):
        with pytest.raises(ServerProblem):
            asking.list_slide_page("cohort", ListRequest(**wrong))


def test_what_a_field_was_filtered_by_leaves_its_own_counts(asking: Client) -> None:
    chosen = asking.count_facets("cohort", filters=(FieldFilter(field="organ", values=("colon",)),))
    free = asking.count_facets("cohort")
    organs = [next(one for one in facets.fields if one.field == "organ") for facets in (chosen, free)]
    assert organs[0].values == organs[1].values
    assert chosen.slides < free.slides == 10


def test_the_map_has_every_slide(asking: Client) -> None:
    found = asking.get_map("cohort", label="organ")
    assert len({*found.slide_ids}) == len(found.x) == len(found.y) == len(found.labels) == found.slides == 10
    assert {*found.labels} == {slide.organ for slide in asking.list_slides("cohort")}
    with pytest.raises(ServerProblem, match="no such column"):
        asking.get_map("cohort", label="uri")


@pytest.mark.parametrize(
    ("query", "status"),
    [
        (SlideQuery(slide=SlideRef(slide_id="nowhere")), 404),
        (SlideQuery(slide=SlideRef(upload_id="0" * 32)), 404),
        (CaseQuery(case_id="nowhere"), 404),
        (CaseQuery(slides=(SlideRef(slide_id=SLIDE), SlideRef(slide_id="SIM-0001-00"))), 422),
        (RegionQuery(slide=SlideRef(slide_id=SLIDE), regions=(Box(x=9999, y=0, width=10, height=10),)), 422),
        (ReportQuery(slide_id="nowhere"), 404),
        (TextQuery(text=" "), 422),
    ],
    ids=str,
)
def test_queries_that_make_no_sense_are_problems(asking: Client, query: Query, status: int) -> None:
    with pytest.raises(ServerProblem) as caught:
        asking.search("cohort", SearchRequest(query=query))
    assert caught.value.problem.status == status
    assert caught.value.problem.request_id
