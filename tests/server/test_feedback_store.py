from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from histoseek.errors import InputError
from histoseek.geometry import Rect
from histoseek.server.state.database import MIGRATIONS, State
from histoseek.server.state.feedback import FeedbackStore, remove_identifiers
from histoseek.server.state.slide_traces import Json, SlideTraces

QUERY: Json = {"kind": "text", "text": "clear cell carcinoma", "without": None, "patient_id": None}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.floats(-1e6, 1e6) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FeedbackStore:
    times = iter(range(1000, 100_000))
    return FeedbackStore(State(tmp_path_factory.mktemp("feedback") / "state"), lambda: float(next(times)))


def test_judgements_are_kept_by_query_slide_and_judge(store: FeedbackStore) -> None:
    key = store.compute_query_key(QUERY)
    store.judge("one", QUERY, "s1", True, "ann")
    store.judge("one", QUERY, "s1", False, "bob")
    store.judge("one", QUERY, "s2", False, "ann")
    store.judge("other", QUERY, "s3", True, "ann")
    store.judge("one", {"kind": "text", "text": "oncocytoma"}, "s4", True, "ann")
    found = store.list_for_query("one", key)
    assert [(one.slide_id, one.relevant, one.by) for one in found] == [
        ("s1", True, "ann"),
        ("s1", False, "bob"),
        ("s2", False, "ann"),
    ]
    assert {one.query_key for one in found} == {key}


def test_the_last_judgement_counts_and_can_be_taken_back(store: FeedbackStore) -> None:
    query: Json = {"kind": "slide", "slide": {"slide_id": "q"}}
    store.judge("one", query, "s1", True, "ann")
    kept = store.judge("one", query, "s1", False, "ann")
    assert store.list_for_query("one", store.compute_query_key(query)) == (kept,)
    store.take_back("one", query, "s1", "bob")
    assert store.list_for_query("one", kept.query_key) == (kept,)
    for _ in range(2):
        store.take_back("one", query, "s1", "ann")
    assert store.list_for_query("one", kept.query_key) == ()


def test_regions_are_judged_beside_their_slide(store: FeedbackStore) -> None:
    query: Json = {"kind": "slide", "slide": {"slide_id": "regions"}}
    key, field, other = store.compute_query_key(query), Rect(-5, 10, 400, 400), Rect(0, 10, 400, 400)
    whole = store.judge("one", query, "s9", True, "ann")
    part = store.judge("one", query, "s9", False, "ann", field)
    store.judge("one", query, "s9", False, "ann", other)
    last = store.judge("one", query, "s9", True, "ann", other)
    assert store.list_for_query("one", key) == (whole, part, last)
    assert [one.region for one in (whole, part, last)] == [None, field, other]
    store.take_back("one", query, "s9", "ann")
    assert store.list_for_query("one", key) == (part, last)
    store.take_back("one", query, "s9", "ann", field)
    assert store.forget_slide("one", SlideTraces("s9")) == 1
    assert store.list_for_query("one", key) == ()


def test_stored_texts_name_no_person(tmp_path: Path) -> None:
    state = State(tmp_path / "state")
    query: Json = {
        "kind": "composed",
        "image": {"kind": "slide", "slide": {"upload_id": "0" * 32, "patient_id": "P-4711"}},
        "text": "Patient: Jane Doe, born 12.03.1950, clear cell carcinoma",
        "without": "as in the report of Dr. Miller",
        "weight": 0.5,
    }
    FeedbackStore(state).judge("one", query, "s1", True, "ann")
    state.close()
    written = b"".join(file.read_bytes() for file in (tmp_path / "state").iterdir())
    for word in (b"Jane", b"Doe", b"12.03", b"Miller", b"P-4711"):
        assert word not in written
    kept = json.loads(state.read("SELECT query FROM judged_queries")[0]["query"])
    assert kept["text"].endswith("clear cell carcinoma")
    assert (kept["weight"], kept["image"]["slide"]) == (0.5, {"upload_id": "0" * 32})


def test_a_query_is_kept_once_and_goes_with_its_last_judgement(tmp_path: Path) -> None:
    state = State(tmp_path / "state")
    store = FeedbackStore(state)
    for slide_id in ("s1", "s2"):
        store.judge("one", QUERY, slide_id, True, "ann")
    for slide_id, left in (("s1", 1), ("s2", 0)):
        assert len(state.read("SELECT * FROM judged_queries")) == 1
        store.take_back("one", QUERY, slide_id, "ann")
        assert len(state.read("SELECT * FROM judged_queries")) == left


def test_a_judge_has_a_number_of_judgements(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("histoseek.server.state.feedback.MAX_JUDGEMENTS", 2)
    store = FeedbackStore(State(tmp_path / "state"))
    for slide_id in ("s1", "s2"):
        store.judge("one", QUERY, slide_id, True, "ann")
    with pytest.raises(InputError, match="Withdraw some"):
        store.judge("one", QUERY, "s3", True, "ann")
    store.judge("one", QUERY, "s3", True, "bob")
    assert len(store.list_for_query("one", store.compute_query_key(QUERY))) == 3


def test_judgements_of_earlier_versions_are_kept(tmp_path: Path) -> None:
    earlier = State(tmp_path / "state", MIGRATIONS[:2])
    with earlier.open_transaction() as connection:
        connection.execute("INSERT INTO judgements VALUES ('one', 'k', 's1', 'ann', '{}', 1, 5.0)")
    earlier.close()
    state = State(tmp_path / "state")
    assert [one.slide_id for one in FeedbackStore(state).list_for_query("one", "k")] == ["s1"]
    assert [tuple(row) for row in state.read("SELECT * FROM judged_queries")] == [("k", "{}")]


def test_ids_of_slides_and_cases_are_kept_as_they_are() -> None:
    query: Json = {"kind": "case", "case_id": "S12-34567", "slides": [{"slide_id": "Dr. Jane Miller 12.03.1950"}]}
    assert remove_identifiers(query) == query


@given(VALUES, st.randoms())
def test_equal_queries_share_a_key(store: FeedbackStore, value: Json, random: object) -> None:
    def rewritten(value: Json) -> Json:
        if isinstance(value, dict):
            pairs = [(name, rewritten(inner)) for name, inner in value.items()]
            random.shuffle(pairs)  # type: ignore[attr-defined]
            return {**dict(pairs), "a field that is null": None}
        if isinstance(value, list):
            return [rewritten(inner) for inner in value]
        return float(value) if isinstance(value, int) and not isinstance(value, bool) else value

    assert store.compute_query_key(rewritten(value)) == store.compute_query_key(value)


@given(VALUES, VALUES)
def test_keys_tell_queries_apart(store: FeedbackStore, one: Json, other: Json) -> None:
    def plain(value: Json) -> str:
        return json.dumps(value, sort_keys=True)

    if store.compute_query_key({"q": one}) == store.compute_query_key({"q": other}):
        assert json.loads(plain(one)) == json.loads(plain(other)) or "null" in plain([one, other])


def test_composed_letters_make_no_difference(store: FeedbackStore) -> None:
    assert store.compute_query_key("Ko\N{LATIN SMALL LETTER E WITH ACUTE}") == store.compute_query_key(
        "Koe\N{COMBINING ACUTE ACCENT}"
    )


def test_a_key_says_nothing_to_another_server(store: FeedbackStore, tmp_path: Path) -> None:
    other = FeedbackStore(State(tmp_path / "state"))
    assert other.compute_query_key(QUERY) != store.compute_query_key(QUERY)
    assert len(store.compute_query_key(QUERY)) == 32


def test_of_a_removed_slide_neither_judgements_nor_queries_stay(tmp_path: Path) -> None:
    store = FeedbackStore(State(tmp_path / "state"))
    like: Json = {"kind": "slide", "slide": {"slide_id": "s1"}}
    pasted: Json = {"kind": "report", "text": "Clear cell\ncarcinoma."}
    for query, slide_id in ((QUERY, "s1"), (QUERY, "s2"), (like, "s2"), (pasted, "s3")):
        store.judge("one", query, slide_id, True, "ann")
    store.judge("other", like, "s1", True, "ann")
    assert store.list_slides("one") == {"s1", "s2", "s3"}
    assert store.forget_slide("one", SlideTraces("s1", "Clear cell carcinoma.")) == 3
    assert store.list_slides("one") == {"s2"}
    assert store.list_slides("other") == {"s1"}
    store.judge("one", {"kind": "group", "slides": [{"slide_id": "s7"}]}, "s2", True, "ann")
    assert store.list_slides("one") == {"s2", "s7"}
    assert [one.slide_id for one in store.list_for_query("one", store.compute_query_key(QUERY))] == ["s2"]
