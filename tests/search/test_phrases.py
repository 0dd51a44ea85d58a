"""What a report would say of a region: an archive of colours whose reports state what the colours stand for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from histoseek import Archive, ArchivedSlide, Case, EncodedSlide, FieldFilter, Recipe, Rect, Region, TextQuery
from histoseek.cli.app import app
from histoseek.encoders.bag import load_bag
from histoseek.errors import ArchiveError, ConfigurationError, HistoseekError, InputError
from histoseek.rest.queries import PhrasesRequest
from histoseek.search.options import PhraseOptions
from histoseek.search.phrases.results import PhraseResult, PhraseResults
from histoseek.server.http.requests import list_query_slides
from histoseek.server.http.responses import to_phrases_response
from tests.word_tower import EDGE, NAME, Installed, install, write_features

PATIENTS = 40
BLOCK = [(column, row) for column in range(3, 6) for row in range(4, 7)]
PLACE = Rect(3 * EDGE, 4 * EDGE, 3 * EDGE, 3 * EDGE)
ELSEWHERE = Rect(8 * EDGE, 8 * EDGE, 3 * EDGE, 3 * EDGE)
SHIFT = 5


def has_necrosis(patient: int) -> bool:
    return patient % 4 == 0


def has_haemorrhage(patient: int) -> bool:
    return patient % 5 in (1, 2)


def write_report(patient: int) -> str:
    """Three findings; the third is on no slide, and every tenth report leaves the second open."""
    said = ["There is necrosis." if has_necrosis(patient) else "No necrosis."]
    there = "There is haemorrhage." if has_haemorrhage(patient) else "No haemorrhage."
    said.append(there if patient % 10 else "Possible haemorrhage.")
    said.append("There is ulceration." if patient % 2 else "No ulceration.")
    return " ".join(said)


def list_patches(patient: int) -> list[tuple[str, int, int]]:
    patches = [("teal", column, row) for column, row in BLOCK] if has_necrosis(patient) else []
    if has_haemorrhage(patient):
        patches += [("crimson", column + SHIFT, row + SHIFT) for column, row in BLOCK]
    return patches


def make_archive(folder: Path, patients: int) -> Archive:
    """Feature files p0 to pN, one a patient but for the second slide of patient 0."""
    features = folder / "features"
    features.mkdir()
    names = {f"p{patient}": patient for patient in range(patients)} | {"p0-again": 0}
    for number, (name, patient) in enumerate(names.items()):
        # No two files are of the same content.
        own = ("violet", number % 12, number // 12)
        write_features(features / f"{name}.h5", [*list_patches(patient), own])
    metadata = [{"file": f"{name}.h5", "patient_id": f"patient-{patient}"} for name, patient in names.items()]
    reports = [{"file": f"{name}.h5", "report": write_report(patient)} for name, patient in names.items()]
    archive = Archive.create(folder / "colours.archive", Recipe(encoder=f"features:{NAME}"), text_encoder="none")
    archive.index([features], metadata=metadata, reports=reports)
    return archive


@pytest.fixture(scope="module")
def installed() -> Iterator[Installed]:
    patch = pytest.MonkeyPatch()
    yield install(patch)
    patch.undo()


@pytest.fixture(scope="module")
def archive(installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> Archive:
    return make_archive(tmp_path_factory.mktemp("phrases"), PATIENTS)


@pytest.fixture(scope="module")
def small(installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> Archive:
    return make_archive(tmp_path_factory.mktemp("few"), 9)


def by_name(results: PhraseResults) -> dict[str, PhraseResult]:
    return {result.name: result for result in results}


def test_the_phrase_of_a_region_comes_first(archive: Archive) -> None:
    teal = archive.phrases(Region(ArchivedSlide("p4"), (PLACE,)))
    crimson = archive.phrases(Region(ArchivedSlide("p1"), (ELSEWHERE,)))
    assert (teal.results[0].name, crimson.results[0].name) == ("necrosis", "haemorrhage")
    assert teal.measured_by == "tile words" and teal.calibrated and teal.query.to == "phrases"
    assert [result.rank for result in teal] == [1, 2, 3] == list(range(1, teal.phrases + 1))
    first = teal.results[0]
    assert (
        first.probability and first.probability > 0.9 and first.lift == pytest.approx(first.probability / first.prior)
    )
    assert by_name(crimson)["necrosis"].probability < 0.1  # type: ignore[operator]


def test_counts_and_base_rates_are_of_patients_whose_reports_tell(archive: Archive) -> None:
    results = by_name(archive.phrases(Region(ArchivedSlide("p5"), (PLACE,))))
    necrosis, haemorrhage = results["necrosis"], results["haemorrhage"]
    others = [patient for patient in range(PATIENTS) if patient != 5]
    assert (necrosis.patients, necrosis.judged) == (sum(map(has_necrosis, others)), len(others))
    telling = [patient for patient in others if patient % 10]
    assert (haemorrhage.patients, haemorrhage.judged) == (sum(map(has_haemorrhage, telling)), len(telling))
    assert necrosis.prior == pytest.approx((necrosis.patients + 0.5) / (necrosis.judged + 1))


def test_what_no_region_shows_keeps_its_base_rate(archive: Archive) -> None:
    for region in (PLACE, ELSEWHERE):
        ulcer = by_name(archive.phrases(Region(ArchivedSlide("p4"), (region,))))["ulceration"]
        assert ulcer.probability == pytest.approx(ulcer.prior, abs=0.05)


def test_probabilities_are_calibrated_on_patients_that_are_left_out(archive: Archive) -> None:
    """Each slide as a query, its own patient never counted: probabilities against what its report says."""
    gaps = []
    for patient in range(1, PATIENTS, 3):
        likely = by_name(archive.phrases(like=f"p{patient}"))["necrosis"].probability
        assert likely is not None
        gaps.append(likely - has_necrosis(patient))
    assert abs(np.mean(gaps)) < 0.06 and np.mean(np.square(gaps)) < 0.02
    error = archive.phrases(like="p1").calibration_error
    assert error is not None and error < 0.15


def test_the_querys_own_patient_has_no_say(archive: Archive) -> None:
    query = Region(ArchivedSlide("p0"), (PLACE,))
    own, all_of_them = archive.phrases(query, examples=10), archive.phrases(query, examples=10, same_patient=True)
    assert own.patients == PATIENTS - 1 and all_of_them.patients == PATIENTS
    named = {example.slide_id for result in own for example in result.examples}
    assert not named & {"p0", "p0-again"}
    assert "p0-again" in {example.slide_id for example in by_name(all_of_them)["necrosis"].examples}
    bag = load_bag(archive.layout.bag("p0"))
    stranger = archive.phrases(EncodedSlide(bag, "p0", 0.5, "patient-0"))
    assert any("patient is not known" in one for one in archive.phrases(EncodedSlide(bag, "p0", 0.5)).warnings)
    assert stranger.patients == PATIENTS - 1 and not stranger.warnings


def test_examples_state_the_phrase_and_show_it_where_it_is(archive: Archive) -> None:
    necrosis = archive.phrases(Region(ArchivedSlide("p4"), (PLACE,)), examples=3).results[0]
    assert len(necrosis.examples) == 3
    for example in necrosis.examples:
        assert has_necrosis(int(re.sub(r"\D", "", example.slide_id)))
        region = example.region
        assert region and PLACE.x <= region.x < PLACE.right and PLACE.y <= region.y < PLACE.bottom
    owners = {example.slide_id.removesuffix("-again") for example in necrosis.examples}
    assert len(owners) == 3


def test_slides_cases_and_filters(archive: Archive) -> None:
    case = archive.phrases(Case((ArchivedSlide("p4"), ArchivedSlide("p4"))))
    slide = archive.phrases(like="p4")
    assert [(r.name, r.probability) for r in case] == [(r.name, r.probability) for r in slide]
    some = archive.phrases(like="p4", where="patient_id <> 'patient-8'", k=1)
    assert len(some) == 1 and some.patients == PATIENTS - 2 and some.query.where == "patient_id <> 'patient-8'"
    none = archive.phrases(like="p4", where="patient_id = 'nobody'")
    assert none.patients == 0 and not none.calibrated and not any(result.examples for result in none)


def test_a_slide_is_measured_by_its_best_region_whether_the_archive_has_it_or_not(archive: Archive) -> None:
    known = archive.phrases(like="p4")
    bag = load_bag(archive.layout.bag("p4"))
    new = archive.phrases(EncodedSlide(bag, "new", 0.5, "patient-4"))
    assert [one.name for one in new] == [one.name for one in known]
    assert [one.probability for one in new] == pytest.approx([one.probability for one in known], abs=1e-4)
    drawn = by_name(archive.phrases(Region(ArchivedSlide("p4"), (Rect(0, 0, 12 * EDGE, 12 * EDGE),))))
    assert drawn["necrosis"].similarity < known.results[0].similarity


def test_an_archive_of_few_patients_says_that_it_is_not_calibrated(small: Archive) -> None:
    results = small.phrases(Region(ArchivedSlide("p4"), (PLACE,)))
    assert results.results[0].name == "necrosis" and not results.calibrated
    assert all(result.probability is None and result.lift is None for result in results)
    assert results.calibration_error is None
    assert any("not calibrated: only 8 patients have a report" in warning for warning in results.warnings)
    assert "probability" not in str(results)


def test_bad_questions_are_refused_in_one_line(
    archive: Archive, installed: Installed, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with pytest.raises(InputError, match="needs an image alone"):
        archive.phrases(TextQuery("necrosis"))
    with pytest.raises(ConfigurationError, match="Ask for at most 200"):
        archive.phrases(like="p4", k=201)
    with pytest.raises(InputError, match="options and k beside them"):
        archive.phrases(like="p4", options=PhraseOptions(), k=3)
    (tmp_path / "features").mkdir()
    write_features(tmp_path / "features" / "a.h5")
    silent = Archive.create(tmp_path / "silent.archive", Recipe(encoder=f"features:{NAME}"), text_encoder="none")
    silent.index([tmp_path / "features"])
    with pytest.raises(ArchiveError, match="no reports that could state phrases"):
        silent.phrases(like="a")
    wordless = Archive.create(tmp_path / "other.archive", Recipe(encoder="features:own"), text_encoder="none")
    wordless.index([tmp_path / "features"], reports=[{"file": "a.h5", "report": "Necrosis."}])
    with pytest.raises(HistoseekError, match="has no words") as refused:
        wordless.phrases(like="a")
    assert "\n" not in str(refused.value)


def test_over_rest_no_text_and_no_patient_is_told(archive: Archive) -> None:
    body = {
        "query": {"kind": "region", "slide": {"slide_id": "p4"}, "regions": [asdict(PLACE)]},
        "k": 2,
        "filters": [{"field": "patient_id", "values": [f"patient-{patient}" for patient in range(30)]}],
    }
    request = PhrasesRequest.model_validate(body)
    where = archive.condition([FieldFilter("metadata", "patient_id", request.filters[0].values)])
    results = archive.phrases(Region(ArchivedSlide("p4"), (PLACE,)), k=2, where=where)
    answer = to_phrases_response(results, list_query_slides(request.query))
    assert answer.patients == 29 and [one.name for one in answer.results] == [one.name for one in results]
    assert answer.query.to == "phrases" and answer.results[0].examples[0].region is not None
    written = answer.model_dump_json()
    assert "patient-" not in written and "There is" not in written and str(archive.path.parent) not in written


def test_on_the_command_line(archive: Archive) -> None:
    region = f"{PLACE.x},{PLACE.y},{PLACE.width},{PLACE.height}"
    line = ["search", "--archive", str(archive.path), "--like", "p4", "--region", region, "--to", "phrases"]
    shown = CliRunner().invoke(app, line, catch_exceptions=False)
    assert shown.exit_code == 0 and re.search(r"1 +necrosis +0\.\d\d +0\.2\d", shown.output)
    found = json.loads(CliRunner().invoke(app, [*line, "-k", "2", "--json"], catch_exceptions=False).stdout)
    assert found["query"]["to"] == "phrases" and [one["rank"] for one in found["results"]] == [1, 2]
    assert "patient-" not in json.dumps(found)
    refused = CliRunner().invoke(app, [*line, "--vote", "diagnosis"])
    assert refused.exit_code != 0
