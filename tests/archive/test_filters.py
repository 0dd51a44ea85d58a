"""Filters: text and expression say the same, and the store keeps the rows that a naive evaluator keeps."""

from __future__ import annotations

import dataclasses
import random
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from histoseek.archive.filters.expression import (
    HAS_REPORT,
    Call,
    Column,
    Comparison,
    Expression,
    HasAny,
    HasPhrase,
    In,
    IsNull,
    IsTrue,
    Like,
    Literal,
    Not,
    all_of,
    any_of,
    compare,
    not_true,
    one_of,
)
from histoseek.archive.filters.parser import MOST_NESTED, parse_filter
from histoseek.archive.schema import LanguageVectors
from histoseek.archive.stores.slides import SlideTable
from histoseek.errors import BadFilter
from tests.archive.filtering import DAYS, FILTERS, KINDS, OWN, TIMES, Row, evaluate
from tests.archive.tables import create_table
from tests.archive.test_store import make_slide

ROWS = 60

ORGAN, WORD = Column("organ"), Column("word")


@pytest.fixture(scope="module")
def rows() -> dict[str, Row]:
    """By slide id, a value or nothing for each column."""
    drawn = random.Random(0)
    return {f"s{n:02d}": {name: drawn.choice((*own, None)) for name, own in OWN.items()} for n in range(ROWS)}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, rows: dict[str, Row]) -> SlideTable:
    """The rows in a store, the last ten of them behind its indexes."""
    store = create_table(tmp_path_factory.mktemp("filters") / "store")
    store.ensure_columns(KINDS)
    slides = []
    for number, (slide_id, row) in enumerate(rows.items()):
        own = {"patient_id": row["patient_id"], "organ": row["organ"], "extra": {name: row[name] for name in KINDS}}
        language = LanguageVectors(report_tokens=" a ", report_facts=row["report_facts"])
        slides.append(dataclasses.replace(make_slide(slide_id, number, **own), language=language))
    store.upsert(slides[:-10])
    store.optimize()
    store.upsert(slides[-10:])
    return store


@given(expression=FILTERS)
@settings(max_examples=250, deadline=None)
@example(any_of(*(Not(In(WORD, pair)) for pair in (("lung", "x"), ("Lung", "y")))))
@example(IsNull(all_of(In(WORD, ("Lung",)), In(WORD, ('"q"',)))))
@example(Not(all_of(*(compare("number", "=", one) for one in (1, 2)))))
@example(Comparison(Column("day"), "=", Literal(TIMES[1])))
@example(In(Column("time"), (*DAYS, TIMES[0])))
@example(Comparison(Column("number"), ">", Literal(60.5)))
@example(compare("number", ">", -(2**63)))
@example(compare("number", "<", 10**25))
@example(not_true(Column("fresh")))
def test_a_store_keeps_what_is_true(store: SlideTable, rows: dict[str, Row], expression: Expression) -> None:
    kept = [slide_id for slide_id, row in rows.items() if evaluate(expression, row) is True]
    assert list(store.slides(expression)) == kept
    assert parse_filter(str(expression), ()) == expression


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ("organ = 'lung' AND age > 50", all_of(compare("organ", "=", "lung"), compare("age", ">", 50))),
        ("age BETWEEN 50 AND 70", all_of(compare("age", ">=", 50), compare("age", "<=", 70))),
        ("age not between -1 and 2.5", Not(all_of(compare("age", ">=", -1), compare("age", "<=", 2.5)))),
        ("diagnosis LIKE '%carcinoma%'", Like(Column("diagnosis"), "%carcinoma%")),
        ("Organ NOT ilike 'l%'", Not(Like(ORGAN, "l%", ignore_case=True))),
        ("grade IS NOT NULL", Not(IsNull(Column("grade")))),
        ("report is not null", HAS_REPORT),
        ("ok IS NOT TRUE", Not(IsTrue(Column("ok")))),
        ("ok is false or ok is unknown", any_of(IsTrue(Not(Column("ok"))), IsNull(Column("ok")))),
        ("organ IN ('a', 'it''s')", one_of("organ", ["a", "it's"])),
        (
            "organ in ('a', NULL, site)",
            any_of(In(ORGAN, ("a",)), compare("organ", "=", None), Comparison(ORGAN, "=", Column("site"))),
        ),
        (
            "a = 1 OR b = 2 AND NOT c = 3",
            any_of(compare("a", "=", 1), all_of(compare("b", "=", 2), Not(compare("c", "=", 3)))),
        ),
        (
            "((a = 1) AND (b = 2 AND c == 3))",
            all_of(*(compare(*one) for one in (("a", "=", 1), ("b", "=", 2), ("c", "=", 3)))),
        ),
        ("a != .5e1", compare("a", "<>", 5.0)),
        ("\"organ\" = 'lung'", compare("organ", "=", "lung")),
        ("`or` = 'x'", compare("or", "=", "x")),
        ("date > date '2024-02-29'", compare("date", ">", DAYS[0])),
        ("created < timestamp '2024-02-29T00:00:00Z'", compare("created", "<", TIMES[0])),
        ("created < timestamp '2024-02-29 00:00'", compare("created", "<", TIMES[0])),
        ("day = cast('2024-02-29' as date)", compare("day", "=", DAYS[0])),
        ("size = cast('inf' as double)", compare("size", "=", float("inf"))),
        ("array_has(report_facts, 'grade:3')", HasAny(Column("report_facts"), ("grade:3",))),
        ("array_has_any(report_facts, ['a', 'b'])", HasAny(Column("report_facts"), ("a", "b"))),
        ("has_phrase(report, 'in-situ')", HasPhrase(Column("report"), ("in", "situ"))),
        ("starts_with(lower(organ), 'l')", Call("starts_with", (Call("lower", (ORGAN,)), Literal("l")))),
        (
            "coalesce(coalesce(organ, site), 'a') = ''",
            Comparison(Call("coalesce", (ORGAN, Column("site"), Literal("a"))), "=", Literal("")),
        ),
        ("5 < age", Comparison(Literal(5), "<", Column("age"))),
        ("true", Literal(True)),
    ],
)
def test_what_people_write(text: str, expression: Expression) -> None:
    assert parse_filter(text, ()) == expression
    assert parse_filter(str(expression), ()) == expression


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("organ = 'lung", "Unterminated string: ' at character 9"),
        ("number + 1 > 2", "'\\+' at character 8: a filter has comparisons"),
        ("number -1 > 2", "may not go on with -"),
        ("organ IN (SELECT organ)", "where \\) should be"),
        ("organ = 'a') OR (true", "closing parenthesis too many"),
        ("(organ = 'a'", "its end where \\) should be"),
        ("organ = 'a'; drop", "one condition"),
        ("organ = 'a' -- b", "may not go on with -"),
        ("regexp_like(report, 'a')", "may not call regexp_like; functions are: lower, upper"),
        ("organ LIKE 'a!%' ESCAPE '!'", "may not use ESCAPE"),
        ("organ LIKE site", "no text that is written out"),
        ("day > date 'soon'", "'soon', which is no date"),
        ("a = 1 = 2", "may not go on with = behind a = 1"),
        ("word", "word is text where a condition should be"),
        ("NULL", "no condition"),
        ("orgn = 'lung'", "no column orgn"),
        ("\"Organ\" = 'lung'", "no column Organ"),
        ("number = 'a'", "compares a number with text"),
        ("day > '2024-01-01'", "compares a date with text"),
        ("organ AND fresh", "organ is text where a condition"),
        ("lower(number) = 'a'", "number is a number where text"),
        ("lower(organ, word) = 'a'", "lower with 2 values, not 1"),
        ("coalesce(organ, number) = 'a'", "different types"),
        ("global_vector = 1", "lists or vectors"),
        ("has_phrase(report, '!')", "at least one letter"),
    ],
)
def test_a_bad_filter_says_why_in_one_line_with_the_columns(store: SlideTable, text: str, said: str) -> None:
    with pytest.raises(BadFilter, match=said) as caught:
        store.count(text)
    assert "\n" not in str(caught.value)
    assert {"organ", "number", "report"} <= set(caught.value.columns)
    assert "global_vector" not in caught.value.columns


@pytest.mark.parametrize(
    "nested",
    [
        lambda n: "NOT " * n + "fresh",
        lambda n: "(" * n + "fresh" + ")" * n,
        lambda n: "lower(" * n + "word" + ")" * n + " = 'lung'",
        lambda n: "coalesce(" * n + "word" + ", 'a')" * n + " = 'lung'",
        lambda n: "NOT (" * (n // 2) + "fresh" + " OR number = 1)" * (n // 2),
        lambda n: "array_has_any(" * n + "report_facts" + ", ['a'])" * n,
    ],
)
def test_depth_is_bounded(store: SlideTable, nested: object) -> None:
    assert callable(nested)
    started = time.process_time()
    if "array" not in nested(1):
        assert 0 <= store.count(nested(MOST_NESTED)) <= ROWS
    for depth in (MOST_NESTED + 2, 400, 5000):
        with pytest.raises(BadFilter, match=r"more than 20|no text|needs a column"):
            store.count(nested(depth))
    assert time.process_time() - started < 10


@pytest.mark.parametrize(("word", "operator", "kept"), [("OR", "=", 9), ("AND", "<>", 38)])
def test_many_conditions_are_not_deep(
    store: SlideTable, rows: dict[str, Row], word: str, operator: str, kept: int
) -> None:
    naive = [row["number"] for row in rows.values() if row["number"] is not None]
    assert kept == sum((number == 61) == (operator == "=") for number in naive)
    assert store.count(f" {word} ".join([f"number {operator} 61"] * 900)) == kept


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30))
@settings(max_examples=100, deadline=None)
def test_any_text_is_a_filter_or_a_bad_one(text: str) -> None:
    quoted = "'" + text.replace("'", "''") + "'"
    assert parse_filter(f"organ = {quoted}", ()) == compare("organ", "=", text)
    try:
        expression = parse_filter(text, ("organ",))
    except BadFilter as refused:
        assert refused.columns == ("organ",)
    else:
        assert parse_filter(str(expression), ()) == expression


def test_constructors_leave_out_what_is_not_there() -> None:
    one, two, three = (compare("organ", "=", value) for value in "abc")
    assert all_of(None, None) is None
    assert any_of(None, one) == one
    assert all_of(one, all_of(two, three)) == all_of(one, two, three)
    assert any_of(one, all_of(two, three)).parts == (one, all_of(two, three))
    assert one_of("organ", []) == Literal(False)
    assert not_true(None) is None
