"""Filters from the network: what they may say, and ways around it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from histoseek.api import Archive
from histoseek.archive.filters.parser import parse_filter
from histoseek.archive.stores.slides import SlideTable
from histoseek.errors import BadFilter
from histoseek.search.scope.public import MOST_CHARACTERS, PRIVATE_COLUMNS, PUBLIC_COLUMNS, parse_public_filter

ALLOWED = (
    "organ = 'kidney'",
    "`organ` <> 'it''s' AND (spacing_um_per_px >= 1e-3 OR height < -5)",
    "Organ IN ('a', 'b') and not diagnosis is NULL",
    "lower(diagnosis) LIKE '%carcinoma%' OR starts_with(slide_id, 'SIM')",
    "created > timestamp '2024-01-01T00:00:00Z'",
    "spacing_um_per_px BETWEEN .2 AND 0.6",
    "report IS NOT NULL AND contains(report, 'uri (select) -- ; `uri`')",
    "age = 71 OR true",
    "coalesce(organ, '') = ''",
)

REFUSED = (
    "",
    "   ",
    "uri LIKE '%a%'",
    "URI is null",
    '"uri" is null',
    "`uri` is null",
    "lower(Uri) = 'a'",
    "organ = 'a' or\turi='b'",
    "organ='a'or uri='b'",
    "file_fingerprint = 'x'",
    "global_vector IS NOT NULL",
    "report_tokens LIKE '%a%'",
    "array_has(report_facts, 'a')",
    "_rowid > 1",
    '"_rowid" > 1',
    "_distance < 1",
    "slides.uri = 'a'",
    "slides . uri = 'a'",
    "organ['x'] = 1",
    "organ = (select uri from slides)",
    "exists (select 1)",
    "organ IN (SELECT organ)",
    "cast(report as int) = 1",
    "report::int = 1",
    "try_cast(report as int) = 1",
    "regexp_like(report, '(a*)*b')",
    "repeat('a', 1000000000) = organ",
    "now() > created",
    "\"lower\"(organ) = 'a'",
    "organ || 'a' = 'b'",
    "width + 1 = 2",
    "width -1 = 2",
    "width = 1 -1 -1",
    "width * 2 = 2",
    "organ = $1",
    "organ = ?",
    "organ = @x",
    "organ = 'a'; drop",
    "organ = 'a' -- b",
    "organ = 'a' /* b */",
    "organ = 'a",
    'organ = "a',
    "E'\\'' = organ OR uri = ''",
    "x'41' = organ",
    "U&'\\0075ri' = organ",
    "organ = 'a') OR (true",
    "(organ = 'a'",
    "organ = 'a\0'",
    "organ = '\ud800'",
    "\uff55\uff52\uff49 = 'a'",
    "organ\u00a0= 'a'",
    "case when organ = 'a' then true else false end",
    "(" * 11 + "true" + ")" * 11,
    " OR ".join(["width=1"] * 40),
    "=".join(["true"] * 70),
    "organ" + " is null" * 70,
    "width = 1" + " " * MOST_CHARACTERS,
    "{fn now()} > created",
    '`organ"uri"` = 1',
    '" uri" IS NULL',
    "report LIKE report",
    "report ILIKE lower(organ)",
    "report LIKE '" + "%a" * 21 + "'",
    "date'2024-01-01' < created",
)


@pytest.fixture(scope="module")
def store(indexed: Path) -> SlideTable:
    return Archive.open(indexed).store


@pytest.mark.parametrize("where", ALLOWED)
def test_what_people_write_is_allowed_and_means_the_same(store: SlideTable, where: str) -> None:
    assert parse_public_filter(where) == parse_filter(where, ())
    assert store.count(where) >= 0


@pytest.mark.parametrize("where", REFUSED)
def test_anything_else_is_refused(where: str) -> None:
    with pytest.raises(BadFilter) as refused:
        parse_public_filter(where)
    assert refused.value.columns == PUBLIC_COLUMNS
    assert not set(PUBLIC_COLUMNS) & set(PRIVATE_COLUMNS)


def spelled(name: str) -> st.SearchStrategy[str]:
    cased = st.tuples(*(st.sampled_from((letter, letter.upper())) for letter in name)).map("".join)
    return st.tuples(st.sampled_from(("{}", "`{}`", '"{}"', "({})", "lower({})")), cased).map(
        lambda p: p[0].format(p[1])
    )


@given(
    name=st.sampled_from(PRIVATE_COLUMNS).flatmap(spelled),
    before=st.sampled_from(
        ("", "organ = 'a' OR ", "NOT ", "width IN (1, 2) AND\n", "coalesce(organ, '''') = ' ' or\t")
    ),
    behind=st.sampled_from((" IS NULL", "='a'", " LIKE '%'", " IN ('')", ">organ", " is not null and organ = '")),
)
def test_private_columns_are_refused_in_any_spelling(name: str, before: str, behind: str) -> None:
    with pytest.raises(BadFilter):
        parse_public_filter(before + name + behind)


PIECES = (
    *(
        "organ",
        "uri",
        "URI",
        "`uri`",
        '"uri"',
        "report_tokens",
        "width",
        "'a'",
        "''",
        "'",
        '"',
        "`",
        "\\",
        "1",
        "-1",
        ".",
        "e1",
    ),
    *(
        "(",
        ")",
        ",",
        "=",
        "<",
        "AND",
        "OR",
        "NOT",
        "IS",
        "NULL",
        "LIKE",
        "IN",
        "BETWEEN",
        "lower",
        "cast",
        "E",
        "date",
        "true",
    ),
    *(" ", " ", " ", "\n", "-", "--", "/*", "*/", ";", "$$", "#", ":", "\u2028"),
)


@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=14).map("".join))
@example("'a'' OR uri = '''")
@example("\"a\" = 'b' OR 'uri' = `organ`")
@settings(max_examples=200)
def test_whatever_passes_names_nothing_private_and_does_no_harm(store: SlideTable, where: str) -> None:
    try:
        public = parse_public_filter(where)
    except BadFilter:
        return
    outside = re.sub(r"'[^']*'", " ", where).lower()
    assert not any(re.search(rf"\b{name}\b", outside) for name in PRIVATE_COLUMNS)
    assert outside.count("'") == 0
    try:
        store.count(public)
    except BadFilter as refused:
        assert refused.reason


def test_faults_while_rows_are_read_do_not_quote_them(store: SlideTable) -> None:
    for where in ("width = report", "age > organ", "created = report", "organ = date '2024-01-01'"):
        assert parse_public_filter(where) == parse_filter(where, ())
        with pytest.raises(BadFilter) as refused:
            store.count(where)
        assert "different types" in refused.value.reason
        assert "Sections show" not in str(refused.value)
