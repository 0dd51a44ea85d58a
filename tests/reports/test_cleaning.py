"""Texts are mended before they are read, and every place in them stays one of the original."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoseek.reports.cleaning.furniture import normalise_piece, split_pieces
from histoseek.reports.cleaning.mends import MendReason
from histoseek.reports.concepts.cleaning import clean_report
from histoseek.reports.facts.structured import extract_facts
from histoseek.reports.index.analyser import analyse, find_spans, list_tokens
from histoseek.reports.language.words import Span

SOUND = (
    "Breast, left, biopsy: Invasive carcinoma of no special type, grade II. Lymphovascular invasion is absent.",
    "Page margins are free. The patient is a 62 year old man, referred by Dr. Bergmann and Dr. Carcini.",
    "pT2a pN0 cM0, stage II. Grade I to II of III. G1, G2 and A1 to A5 are submitted. pTis is not seen.",
    "Ill-defined mass of 3 in., fixed for 10 min. Sections I, II, III and IV. In 0/12 lymph nodes.",
    "Mikroskopisch zeigt sich ein mäßig differenziertes Adenokarzinom mit Infiltration der Muscularis propria.",
    "GATA3, TTF-1, p40 and Napsin A are positive; desmoglein, uroplakin and claudin-18 are not tested.",
)
DAMAGED = (
    ("The lymphnodes are free.", "The lymph nodes are free.", MendReason.GLUED),
    ("Nests of invasivecarcinoma.", "Nests of invasive carcinoma.", MendReason.GLUED),
    ("Sections ofthe colon.", "Sections of the colon.", MendReason.GLUED),
    ("Infiltrating carcinoma, Grade3.", "Infiltrating carcinoma, Grade 3.", MendReason.GLUED),
    ("Blocks 2and 3 are free.", "Blocks 2 and 3 are free.", MendReason.GLUED),
    ("CarcinomaTumor", "Carcinoma Tumor", MendReason.GLUED),
    ("Squamous carci noma is seen.", "Squamous carcinoma is seen.", MendReason.TORN),
    ("No lym phovascular invasion.", "No lymphovascular invasion.", MendReason.TORN),
    ("DIAGNOSIS: ADENOCAR CINOMA", "DIAGNOSIS: ADENOCARCINOMA", MendReason.TORN),
    ("A mass of 3.5 em.", "A mass of 3.5 cm.", MendReason.CONFUSED),
    ("A nodule of 4 x 3 crn.", "A nodule of 4 x 3 cm.", MendReason.CONFUSED),
    ("The margin is 2 mrn away.", "The margin is 2 mm away.", MendReason.CONFUSED),
    ("Stage: pTl", "Stage: pT1", MendReason.CONFUSED),
    ("Stage: pT2 pNO", "Stage: pT2 pN0", MendReason.CONFUSED),
    ("Iymph nodes", "Lymph nodes", MendReason.CONFUSED),
    ("Nuclear grade Ill", "Nuclear grade III", MendReason.CONFUSED),
    ("FIGO stage lll", "FIGO stage III", MendReason.CONFUSED),
    ("Grade ll/Ill", "Grade II/III", MendReason.CONFUSED),
    ("Part 0f the bowel", "Part of the bowel", MendReason.CONFUSED),
    ("Adenocarcinorna of the rectum", "Adenocarcinoma of the rectum", MendReason.CONFUSED),
    ("The lnvasive tumour, wlth necrosis", "The invasive tumour, with necrosis", MendReason.CONFUSED),
    ("Metastasis in l/12 nodes", "Metastasis in 1/12 nodes", MendReason.CONFUSED),
    ("Positive for carcinma cells", "Positive for carcinoma cells", MendReason.MISSPELT),
    ("Urothelal dysplasia", "Urothelial dysplasia", MendReason.MISSPELT),
    ("||| | || III III I\nColon, biopsy", "Colon, biopsy", MendReason.SCANNING),
    ("UUID:1B2C3D4E-0A1B-4C2D-8E3F-0123456789AB\nColon", "Colon", MendReason.SCANNING),
    ("Invasive\nPage 2 of 4\ncarcinoma", "Invasive\ncarcinoma", MendReason.FURNITURE),
    ("MRN: 77\nColon.\nMRN: 77\nBenign.", "MRN: 77\nColon.\nBenign.", MendReason.FURNITURE),
    (
        "Benign. This test was developed by this laboratory. It was not read elsewhere.",
        "Benign. It was not read elsewhere.",
        MendReason.BOILERPLATE,
    ),
)
PARTS = st.sampled_from(
    [
        *(damaged for damaged, _, _ in DAMAGED),
        *(text for text in SOUND),
        *(
            "\n",
            "  ",
            "é",
            "|",
            "III",
            "Page 1 of 2",
            "[NAME]",
            "carci",
            "noma",
            "\U0001f52c",
            "İ",
            "em",
            "3",
            ":",
            "-\n",
        ),
    ]
)
TEXTS = st.lists(st.one_of(PARTS, st.text(max_size=12)), max_size=8).map(" ".join)


@pytest.mark.parametrize("text", SOUND)
def test_a_sound_text_stays_as_it_is(text: str) -> None:
    clean = clean_report(text)
    assert clean.text == text
    assert clean.mends == ()


@pytest.mark.parametrize(("text", "expected", "reason"), DAMAGED)
def test_a_damaged_text_is_mended_for_a_reason(text: str, expected: str, reason: MendReason) -> None:
    clean = clean_report(text)
    assert clean.text == expected
    assert {mend.reason for mend in clean.mends} == {reason}


@pytest.mark.parametrize(
    "text",
    [
        "Reviewed by Dr. Carcinoni",
        "Surgeon: Papillari, Mucosi",
        "the slides of Lobulari were seen",
        "[NAME] and [DATE]",
        "nocarcinoma",
        "NoteYe isitions",
        "cinoma and tologic",
        "a right lobe and a piece of it",
        "Anti-CD3 and EGFR at 20 min, TCGA",
    ],
)
def test_names_fragments_and_what_only_looks_damaged_are_left_alone(text: str) -> None:
    assert clean_report(text).text == text


@settings(max_examples=150, deadline=None)
@given(TEXTS)
def test_every_place_of_a_clean_text_is_one_of_the_original(text: str) -> None:
    clean = clean_report(text)
    assert clean.original == text
    assert all(mend.original == text[mend.span.start : mend.span.end] for mend in clean.mends)
    assert all(before.span.end <= behind.span.start for before, behind in pairwise(clean.mends))
    places = [clean.to_original(Span(start, start + 1)) for start in range(len(clean.text))]
    assert all(0 <= place.start <= place.end <= len(text) for place in places)
    assert all(one.start <= two.start and one.end <= two.end for one, two in pairwise(places))
    mended = [mend.span for mend in clean.mends]
    for start, place in enumerate(places):
        letter = clean.text[start]
        assert text[place.start : place.end] == letter or any(
            span.start <= place.start and place.end <= span.end for span in mended
        )


@settings(max_examples=100, deadline=None)
@given(TEXTS)
def test_facts_and_terms_stand_in_the_text_as_it_was_given(text: str) -> None:
    report = extract_facts(text)
    terms = analyse(text)
    assert all(0 <= term.start <= term.end <= len(text) for term in terms)
    assert all(0 <= mention.start < mention.end <= len(text) for mention in report.mentions)
    assert report.sections.text == text
    bounds = [(section.start, section.end) for section in report.sections.sections]
    assert all(one[1] == two[0] for one, two in pairwise(bounds))
    if bounds:
        assert (bounds[0][0], bounds[-1][1]) == (0, len(text))
    assert list_tokens(text) == list_tokens(text)


def test_every_mended_stretch_leads_to_its_origin() -> None:
    for text, _, _ in DAMAGED:
        clean = clean_report(text)
        for mend in clean.mends:
            if mend.mended:
                place = clean.text.index(mend.mended)
                assert clean.to_original(Span(place, place + len(mend.mended))) == mend.span


def test_what_is_read_in_a_mended_text_is_found_in_the_original() -> None:
    text = (
        "Page 1 of 2\nProstate, biopsy: lnvasive adenocarci noma, Gleason 3 + 4, in l/6 cores. Ofthe lymphnodes none."
    )
    report = extract_facts(text)
    named = {mention.concept_id: text[mention.start : mention.end] for mention in report.mentions}
    assert named["adenocarcinoma"] == "lnvasive adenocarci noma"
    assert "lymphnodes" in named.values()
    assert [text[span.start : span.end] for span in find_spans(text, ("adenocarcinoma",))] == ["adenocarci noma"]
    assert not any("pag" in term.token for term in analyse(text))


def test_pieces_of_boilerplate_give_no_terms_and_no_facts() -> None:
    notice = "Carcinoma may be missed where fewer than 6 levels\nof a block are examined."
    text = f"Colon, biopsy: Benign mucosa. {notice} Melanosis."
    key = normalise_piece(notice)
    assert key in {piece for _, piece in split_pieces(text)}
    tokens = {term.token for term in analyse(text, boilerplate=frozenset({key}))}
    assert "diagnosis:carcinoma" in list_tokens(text)
    assert "diagnosis:carcinoma" not in tokens
    assert "melanosis" in tokens
