"""An archive as arrays and tables; equality by content; arguments of wrong types."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pytest

import histoseek
from histoseek import (
    ArchivedCase,
    ArchivedSlide,
    Case,
    Composed,
    EncodedSlide,
    FieldFilter,
    Rect,
    Refined,
    Region,
    ReportFile,
    SearchOptions,
    SlideFile,
    TextQuery,
    TileImage,
)
from histoseek.api import Archive
from histoseek.encoders.recipe import Recipe
from histoseek.errors import BadFilter, ConfigurationError, HistoseekError, InputError, MissingExtra, UnknownSlide
from tests.evaluation.archives import labelled_archive

SLIDES = 8


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    made = labelled_archive(tmp_path_factory.mktemp("arrays"), [0, 1] * 4, list(range(SLIDES)))
    columns = {"grade": int, "ki67": float, "frozen": bool, "seen": date, "block": str}
    values = {"grade": 2, "ki67": 0.5, "frozen": True, "seen": date(2020, 2, 3), "block": "A1"}
    made.update_many({"slide-001": values, "slide-002": {"organ": "lung", "grade": 1}}, new_columns=columns)
    return made


@pytest.fixture
def empty(tmp_path: Path) -> Archive:
    return Archive.create(tmp_path / "empty", Recipe(encoder="features:test"), text_encoder="none")


def test_vectors_and_mosaics_are_those_of_the_slides(archive: Archive) -> None:
    for asked in (None, ["slide-005", "slide-001", "slide-005"]):
        vectors, mosaics = archive.vectors(asked), archive.mosaics(asked)
        ids = ("slide-005", "slide-001") if asked else tuple(record.slide_id for record in archive)
        assert vectors.slide_ids == mosaics.slide_ids == ids
        assert vectors.vectors.dtype == np.float32
        assert len(mosaics.vectors) == mosaics.offsets[-1] == len(mosaics.shares)
        for (slide_id, vector), (_, mosaic) in zip(vectors, mosaics, strict=True):
            signature = archive.get(slide_id).signature
            assert np.array_equal(vector, signature.global_vector)
            assert np.array_equal(mosaic, signature.mosaic)
            assert np.array_equal(vectors[slide_id], vector)
            assert np.array_equal(mosaics[slide_id], mosaic)
    of_filter = archive.vectors(where="diagnosis = 'class 1'")
    assert of_filter.slide_ids == tuple(f"slide-{number:03d}" for number in range(1, SLIDES, 2))
    assert len(archive.vectors(where="organ = 'nowhere'")) == len(archive.mosaics(where="organ = 'nowhere'")) == 0
    with pytest.raises(UnknownSlide):
        archive.vectors(["slide-001", "slide-099"])
    with pytest.raises(UnknownSlide):
        _ = of_filter["slide-000"]
    with pytest.raises(InputError, match="Index reports, or align the archive"):
        archive.vectors(kind="report")


def test_an_empty_archive_has_empty_arrays(empty: Archive) -> None:
    assert (len(empty.vectors()), len(empty.mosaics()), len(empty.to_pandas())) == (0, 0, 0)
    assert empty.to_anndata().n_obs == 0
    with pytest.raises(UnknownSlide):
        empty.vectors(["slide-001"])


def test_a_data_frame_keeps_types_and_gaps(archive: Archive) -> None:
    frame = archive.to_pandas()
    assert list(frame.index) == [record.slide_id for record in archive.records()]
    row, other = frame.loc["slide-001"], frame.loc["slide-003"]
    assert (row["grade"], row["ki67"], row["frozen"], row["block"], row["diagnosis"]) == (2, 0.5, True, "A1", "class 1")
    assert row["seen"].date() == date(2020, 2, 3)
    assert other[["grade", "ki67", "frozen", "seen", "block", "organ"]].isna().all()
    assert [str(frame[name].dtype) for name in ("grade", "frozen", "diagnosis")] == ["Int64", "boolean", "string"]
    assert list(archive.to_pandas("grade > 1").index) == ["slide-001"]


@pytest.mark.filterwarnings("error")
def test_anndata_is_written_as_it_is(archive: Archive, tmp_path: Path) -> None:
    anndata = pytest.importorskip("anndata", reason="anndata comes with the extra `tables`")
    data = archive.to_anndata()
    data.write_h5ad(tmp_path / "slides.h5ad")
    read = anndata.read_h5ad(tmp_path / "slides.h5ad")
    assert list(read.obs_names) == [record.slide_id for record in archive]
    assert np.array_equal(read.X, archive.vectors().vectors)
    assert read.obs.loc["slide-001", ["organ"]].isna().all()
    assert (read.obs["organ"]["slide-002"], read.obs["grade"]["slide-002"]) == ("lung", 1)
    assert read.obs["seen"]["slide-001"].startswith("2020-02-03")
    assert str(read.obs["tile_count"].dtype) == "int64"
    assert read.uns["histoseek"]["space"]["dimension"] == archive.require_space().dimension


def test_texts_that_hdf5_cannot_hold_are_written(archive: Archive, tmp_path: Path) -> None:
    anndata = pytest.importorskip("anndata", reason="anndata comes with the extra `tables`")
    archive.update("slide-005", {"organ": "lu\0ng"})
    archive.to_anndata().write_h5ad(tmp_path / "slides.h5ad")
    assert anndata.read_h5ad(tmp_path / "slides.h5ad").obs["organ"]["slide-005"] == "lu\ufffdng"
    archive.update("slide-005", {"organ": None})


def test_a_missing_package_names_its_extra(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(MissingExtra, match=r"pip install 'histoseek\[tables\]'"):
        archive.to_pandas()


def test_what_holds_arrays_is_equal_by_content(archive: Archive) -> None:
    one, same, other = archive.get("slide-001"), archive.get("slide-001"), archive.get("slide-002")
    for mine, equal, unlike in (
        (one, same, other),
        (one.signature, same.signature, other.signature),
        (one.record, same.record, other.record),
        (archive.vectors(), archive.vectors(), archive.vectors(where="organ = 'lung'")),
        (archive.mosaics(), archive.mosaics(), archive.mosaics(["slide-001"])),
        (archive.overview(), archive.overview(), archive.overview("diagnosis")),
    ):
        assert (mine == equal) is True
        assert (mine == unlike) is False
        assert (mine != equal) is False
        assert mine != "something else"
        assert hash(mine) == hash(equal)
        assert len({mine, equal, unlike}) == 2
    results = archive.search(like="slide-001")
    assert {*results.results} == {*archive.search(like="slide-001").results}


def make_frame() -> object:
    return pytest.importorskip("pandas").DataFrame({"organ": ["lung", "colon"]}, index=["slide-001", "slide-002"])


MISTAKES: dict[str, Callable[[Archive], object]] = {
    "search(array)": lambda archive: archive.search(np.zeros(20)),
    "search(signature)": lambda archive: archive.search(archive.get("slide-001").signature),
    "search(number)": lambda archive: archive.search(7),
    "search(class)": lambda archive: archive.search(ArchivedSlide),
    "search(frame)": lambda archive: archive.search(like="slide-001", where=make_frame()),
    "flag text": lambda archive: archive.search(like="slide-001", same_patient="no"),
    "flag None": lambda archive: archive.search(like="slide-001", by_case=None),
    "candidates 0": lambda archive: archive.search(like="slide-001", candidates=0),
    "workers 0": lambda archive: archive.search(like="slide-001", workers=0),
    "no distance": lambda archive: archive.search(like="slide-001", distance=""),
    "limit True": lambda archive: archive.records(limit=True),
    "fields number": lambda archive: archive.facets(fields=5),
    "filters text": lambda archive: archive.facets(filters=["diagnosis"]),
    "one filter": lambda archive: archive.condition(FieldFilter("metadata", "diagnosis", ("class 1",))),
    "most text": lambda archive: archive.overview(most="5"),
    "seed below 0": lambda archive: archive.recall(queries=2, seed=-1),
    "vectors kinds": lambda archive: archive.vectors(kind=["slide"]),
    "vector of a number": lambda archive: archive.vectors()[0],
    "index number": lambda archive: archive.index(5),
    "index bytes": lambda archive: archive.index(b"slides"),
    "index None": lambda archive: archive.index([None]),
    "workers text": lambda archive: archive.index([], workers="2"),
    "spacing text": lambda archive: archive.index([], spacing_of={"a.svs": "0.5"}),
    "rename list": lambda archive: archive.index([], rename=["a"]),
    "reports number": lambda archive: archive.add_metadata(reports=5),
    "reports mapping": lambda archive: archive.add_metadata(reports={"slide-001": "Lung."}),
    "deidentify text": lambda archive: archive.update("slide-001", {"report": "Lung."}, deidentify="no"),
    "deidentify None": lambda archive: archive.update("slide-001", {"report": "Lung."}, deidentify=None),
    "update list": lambda archive: archive.update("slide-001", {"organ": ["lung"]}),
    "update bytes": lambda archive: archive.update("slide-001", {"organ": b"lung"}),
    "update function": lambda archive: archive.update("slide-001", {"organ": len}),
    "update time": lambda archive: archive.update("slide-001", {"seen": datetime(2020, 2, 3, 13, 5)}),
    "update number": lambda archive: archive.update("slide-001", {5: "lung"}),
    "update_many frame": lambda archive: archive.update_many(make_frame()),
    "new columns list": lambda archive: archive.update_many({}, new_columns=["a"]),
    "new column number": lambda archive: archive.update_many({}, new_columns={5: int}),
    "new column list": lambda archive: archive.update_many({}, new_columns={"a": [int]}),
    "calibrate number": lambda archive: archive.calibrate(distance=5),
    "recipe number": lambda archive: Archive.create(archive.path / "new", 5),
    "recipe text": lambda archive: Recipe(spacing_um_per_px="0.5"),
    "weights number": lambda archive: Archive.create(archive.path / "new", weights=5),
    "text None": lambda archive: TextQuery(None),
    "text number": lambda archive: TextQuery(5),
    "patient number": lambda archive: ArchivedSlide("slide-001", patient_id=5),
    "report file None": lambda archive: ReportFile(None),
    "case of a slide": lambda archive: Case(ArchivedSlide("slide-001")),
    "case of ids": lambda archive: Case(["slide-001"]),
    "case number": lambda archive: ArchivedCase(5),
    "picture spacing": lambda archive: TileImage("crop.png", "0.25"),
    "slide file bytes": lambda archive: SlideFile(b"a.svs"),
    "composed path": lambda archive: Composed("a.svs", "necrosis"),
    "composed weight": lambda archive: Composed(ArchivedSlide("slide-001"), "necrosis", weight="0.5"),
    "refined id": lambda archive: Refined("slide-001", relevant=["slide-002"]),
    "encoded None": lambda archive: EncodedSlide(None, "x", 0.5),
    "region of an id": lambda archive: Region("slide-001", [(0, 0, 9, 9)]),
    "region text": lambda archive: Region(ArchivedSlide("slide-001"), [("0", 0, 9, 9)]),
    "region NaN": lambda archive: Region(ArchivedSlide("slide-001"), [(np.nan, 0, 9, 9)]),
    "region unit": lambda archive: Region(ArchivedSlide("slide-001"), [(0, 0, 9, 9)], "mm"),
    "search(list)": lambda archive: archive.search(["a.svs"]),
    "like number": lambda archive: archive.search(like=7),
    "text list": lambda archive: archive.search(text=["necrosis"]),
    "k text": lambda archive: archive.search(like="slide-001", k="5"),
    "k 0": lambda archive: archive.search(like="slide-001", k=0),
    "k float": lambda archive: archive.search(like="slide-001", k=2.5),
    "k True": lambda archive: archive.search(like="slide-001", k=True),
    "k None": lambda archive: archive.search(like="slide-001", k=None),
    "options dict": lambda archive: archive.search("slide-001", {"k": 3}),
    "options number": lambda archive: archive.search("slide-001", 3),
    "where number": lambda archive: archive.search(like="slide-001", where=3),
    "where dict": lambda archive: archive.records({"organ": "lung"}),
    "limit": lambda archive: archive.records(limit="3"),
    "limit below 0": lambda archive: archive.records(limit=-1),
    "vote number": lambda archive: archive.search(like="slide-001", vote=3),
    "distance number": lambda archive: archive.search(like="slide-001", distance=3),
    "probability text": lambda archive: archive.search(like="slide-001", min_probability="0.5"),
    "get number": lambda archive: archive.get(7),
    "explain number": lambda archive: archive.explain(ArchivedSlide("slide-001"), 7),
    "remove text": lambda archive: archive.remove("slide-001"),
    "remove numbers": lambda archive: archive.remove([1, 2]),
    "remove number": lambda archive: archive.remove(1),
    "vectors text": lambda archive: archive.vectors("slide-001"),
    "vectors kind": lambda archive: archive.vectors(kind="tile"),
    "vectors both": lambda archive: archive.vectors(["slide-001"], where="organ = 'lung'"),
    "mosaics text": lambda archive: archive.mosaics("slide-001"),
    "update text": lambda archive: archive.update("slide-001", "organ=lung"),
    "update_many list": lambda archive: archive.update_many([("slide-001", {"organ": "lung"})]),
    "marks text": lambda archive: Refined(ArchivedSlide("slide-001"), relevant="slide-002"),
    "filter values": lambda archive: FieldFilter("metadata", "organ", "lung"),
    "no such file": lambda archive: archive.search(Path("nowhere/slide.svs")),
    "no such folder": lambda archive: archive.index(Path("nowhere")),
    "no such archive": lambda archive: Archive.open(Path("nowhere")),
    "archive number": lambda archive: Archive.open(7),
    "archive None": lambda archive: Archive.open(None),
    "called": lambda archive: Archive("dir"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_get_one_line_and_change_nothing(archive: Archive, name: str) -> None:
    version = archive.content_version
    with pytest.raises(HistoseekError) as caught:
        MISTAKES[name](archive)
    message = str(caught.value)
    assert "\n" not in message
    assert 20 < len(message) < 300
    assert archive.content_version == version


def test_the_lines_say_what_to_do(archive: Archive) -> None:
    with pytest.raises(InputError, match=r"'slide-001': is one text, .*Give \['slide-001'\]"):
        archive.remove("slide-001")
    with pytest.raises(ConfigurationError, match=r"-k: '5' is no whole number. Give a number such as 5"):
        SearchOptions(k="5")  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"search: cannot search with an object of type ndarray. Give a slide file"):
        archive.search(np.zeros(3))  # type: ignore[arg-type]
    with pytest.raises(BadFilter):
        archive.to_pandas("nonsense = 1")


def test_numbers_of_numpy_and_lists_are_as_good_as_those_of_python(archive: Archive) -> None:
    slide, marked = ArchivedSlide("slide-001"), np.array(["slide-002"])
    for query, same in (
        (Refined(slide, relevant=marked), Refined(slide, relevant=("slide-002",))),
        (Case([slide]), Case((slide,))),
        (Region(slide, np.array([[0, 0, 900, 900]])), Region(slide, (Rect(0, 0, 900, 900),))),
        (Region(slide, [(0, 0, 900, 900)]), Region(slide, (Rect(0, 0, 900, 900),))),
    ):
        assert query == same
        assert hash(query) == hash(same)
        results = archive.search(query, k=np.int64(2), offset=np.uint8(1), exact=np.True_)
        assert json.loads(results.to_json())["query"]["offset"] == 1
        assert results.results == archive.search(same, k=2, offset=1, exact=True).results
    weighed = Composed(slide, "necrosis", weight=np.float32(0.25))
    assert (type(weighed.weight), weighed) == (float, Composed(slide, "necrosis", weight=0.25))
    assert len(archive.records(limit=np.int64(3))) == 3


def test_values_of_data_frames_say_what_they_say(archive: Archive) -> None:
    pandas = pytest.importorskip("pandas")
    for missing in (np.nan, np.float32("nan"), pandas.NA, pandas.NaT, np.datetime64("NaT"), None):
        names = ("organ", "patient_id", "case_id", "report", "grade", "ki67", "frozen", "seen", "block")
        record = archive.update("slide-006", dict.fromkeys(names, missing))
        assert {getattr(record, name, record.extra.get(name)) for name in names} == {None}, missing
    values = {"grade": np.int64(3), "ki67": np.float64(0.5), "frozen": np.True_, "block": np.str_("B2")}
    days = (np.datetime64("2020-03-01"), np.datetime64("2020-03-01", "ns"), pandas.Timestamp("2020-03-01"))
    for day in days:
        record = archive.update("slide-006", {**values, "seen": day, "case_id": 12.0})
        assert dict(record.extra) == {"grade": 3, "ki67": 0.5, "frozen": True, "block": "B2", "seen": date(2020, 3, 1)}
        assert record.case_id == "12"
    archive.add_metadata([{"slide_id": "slide-006", "seen": np.datetime64("2020-04-01", "ns")}])
    assert archive.get("slide-006").record.extra["seen"] == date(2020, 4, 1)


def test_reports_come_from_a_data_frame(archive: Archive) -> None:
    rows = {"slide_id": ["slide-007"], "report": ["Lung: adenocarcinoma."]}
    archive.add_metadata(reports=pytest.importorskip("pandas").DataFrame(rows))
    assert archive.get("slide-007").record.report == "Lung: adenocarcinoma."


def test_arrays_are_the_users_own(archive: Archive) -> None:
    vectors = archive.vectors()
    assert np.array_equal(np.asarray(vectors), vectors.vectors)
    assert np.asarray(vectors, np.float64).dtype == np.float64
    vectors.vectors[:] = 0
    archive.mosaics().vectors[:] = 0
    assert archive.vectors().vectors.any()
    assert archive.mosaics().vectors.any()


def test_the_package_lists_what_is_there() -> None:
    assert {name for name in dir(histoseek) if not name.startswith("__")} == set(histoseek.__all__) - {"__version__"}
