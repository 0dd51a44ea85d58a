"""Texts as tokens: what search for words compares."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoseek.reports.concepts.vocabulary import load_vocabulary
from histoseek.reports.facts.report_facts import list_facts
from histoseek.reports.facts.structured import extract_facts
from histoseek.reports.index.analyser import analyse, find_spans, list_tokens
from histoseek.reports.index.weighting import MOST_TOKENS, WORDS_ONLY, Weighting, weigh_tokens
from histoseek.reports.language.word_forms import list_word_forms, stem

ODD = st.one_of(
    st.text(max_size=300),
    st.lists(st.sampled_from(["no", "necrosis", "grade III", "pT2a", "-", '"', "3+4=7", "\0", "肉腫", "1.5 cm"])).map(
        " ".join
    ),
)


def same(first: str, second: str) -> bool:
    return set(list_tokens(first)) == set(list_tokens(second))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("signet-ring cell", "Signet Ring Cells"),
        ("non-invasive", "noninvasive"),
        ("tumours of the oesophagus", "tumor of esophagus"),
        ("grade III", "grade 3"),
        ("grade I", "grade 1"),
        ("Ki-67", "Ki67"),
        ("CK 7", "CK7"),
        ("HER-2", "HER2"),
        ("Sjögren", "Sjogren"),
        ("1,5 cm", "1.5 cm"),
        ("invasion", "invasive"),
    ],
)
def test_ways_of_writing_share_a_token(first: str, second: str) -> None:
    words = {form for _, form in list_word_forms(first)}
    assert {form for _, form in list_word_forms(second)} & words
    assert same(first, second) or set(list_tokens(second)) & set(list_tokens(first))


@pytest.mark.parametrize(
    ("text", "token"),
    [
        ("1.5 cm", "size:15mm"),
        ("15 mm", "size:15mm"),
        ("ypT2a", "pt:2a"),
        ("ypT2a", "t:2"),
        ("Gleason score 3+4=7", "gleason:7"),
        ("Gleason score 3+4=7", "gleason:3+4"),
        ("Gleason score 3+4=7", "gradegroup:2"),
        ("HER-2/neu 2+", "her2:2+"),
        ("Ki-67 20%", "ki67:20%"),
        ("adenocarcinoma", "diagnosis:carcinoma"),
        ("IDC", "diagnosis:invasive-carcinoma-nst"),
        ("no necrosis", "absent:necrosis"),
        ("suspicious for lymphovascular invasion", "possible:lymphovascular-invasion"),
        ("history of melanoma", "past:melanoma"),
        ("no hemosiderin", "not~hemosiderin"),
        ("胃腺癌", "腺癌"),
        ("סרטן השד", "סרטן"),
    ],
)
def test_a_text_gives_a_token(text: str, token: str) -> None:
    assert token in list_tokens(text)


@pytest.mark.parametrize("text", ["no necrosis", "without necrosis", "Necrosis: Absent", "necrosis is not identified"])
def test_what_is_denied_is_no_plain_token(text: str) -> None:
    tokens = list_tokens(text)
    assert "not~necrosis" in tokens and "absent:necrosis" in tokens
    assert not {"necrosis", "finding:necrosis"} & set(tokens)


def test_the_pronoun_is_no_number() -> None:
    assert "1" not in list_tokens("I think so")


def test_a_cue_that_is_part_of_a_term_denies_nothing() -> None:
    assert not any(token.startswith(("not~", "absent:")) for token in list_tokens("carcinoma of no special type"))


def test_what_is_affirmed_once_is_not_absent() -> None:
    text = "A: necrosis is present. B: no necrosis."
    stated = list_facts(extract_facts(text), load_vocabulary())
    assert "finding:necrosis" in stated and "absent:necrosis" not in stated


def test_a_denied_kind_does_not_deny_what_it_is_a_kind_of() -> None:
    assert "absent:carcinoma" not in list_tokens("no adenocarcinoma")
    assert "absent:carcinoma" in weigh_tokens("no adenocarcinoma", Weighting())


@given(ODD)
@settings(max_examples=150)
def test_tokens_are_of_the_text_and_the_same_again(text: str) -> None:
    terms = analyse(text)
    assert terms == analyse(text)
    assert all(term.token and term.token == "".join(term.token.split()) and "\0" not in term.token for term in terms)
    assert all(0 <= term.start < term.end <= len(text) for term in terms)


@given(ODD, ODD)
@settings(max_examples=100)
def test_spans_are_apart_and_in_order(text: str, query: str) -> None:
    found = find_spans(text, weigh_tokens(query, Weighting()))
    assert all(one.start < one.end for one in found)
    assert [(one.start, one.end) for one in found] == sorted((one.start, one.end) for one in found)
    assert all(one.end < other.end for one, other in pairwise(found))


@given(st.text(st.characters(categories=["Ll"]), max_size=30))
def test_a_stem_is_bounded_and_the_same_in_capitals(word: str) -> None:
    assert len(stem(word)) <= 64 and stem(word.upper().lower()) == stem(word.upper())


def test_spans_leave_out_what_is_denied() -> None:
    text = "Necrosis is seen in A. B shows no necrosis."
    assert [text[one.start : one.end] for one in find_spans(text, weigh_tokens("necrosis", Weighting()))] == [
        "Necrosis"
    ]


def test_weights_are_those_asked_for() -> None:
    weighting = Weighting(concept=0.5, broader=0.25, value=0.75, uncertain=0.5, past=0.0)
    weights = weigh_tokens("adenocarcinoma grade 3", weighting)
    assert weights["adenocarcinoma"] == 1 and weights["maybe~adenocarcinoma"] == 0.5
    assert weights["diagnosis:adenocarcinoma"] == 0.5 and weights["possible:adenocarcinoma"] == 0.25
    assert weights["diagnosis:carcinoma"] == 0.125 and weights["grade:3"] == 0.75
    assert not any(token.startswith("past") for token in weights)
    assert not any(token.startswith("diagnosis:") for token in weigh_tokens("adenocarcinoma", WORDS_ONLY))


def test_a_long_query_is_cut_and_keeps_its_concepts() -> None:
    rng = random.Random(0)
    words = " ".join("".join(rng.choices("abcdefghij", k=9)) for _ in range(10_000))
    weights = weigh_tokens(f"{words} adenocarcinoma", Weighting())
    assert len(weights) <= MOST_TOKENS and "diagnosis:adenocarcinoma" in weights
