"""Prompts chosen from what reports state, by patients, and what a report says of concepts."""

from __future__ import annotations

import csv
import gzip
import json
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from histoseek.errors import NoPrompts
from histoseek.reports.concepts.vocabulary import load_vocabulary
from histoseek.reports.facts.prompts import (
    COMPLETE_CONCEPTS,
    ConceptStatements,
    choose_prompts,
    parse_statements,
    read_corpus,
    read_statements,
)
from histoseek.reports.facts.report_facts import list_facts
from histoseek.reports.facts.structured import extract_facts

LONG = (
    "DIAGNOSIS: Breast, left, excision: invasive ductal carcinoma, with calcification and desmoplasia. "
    "MICROSCOPIC DESCRIPTION: Solid pattern with mitoses, nuclear pleomorphism and prominent nucleoli in a fibrotic "
    "stroma. Plasma cells and macrophages in the adipose tissue. No necrosis. Suspicious for lymphovascular invasion. "
    "History of melanoma."
)


def _say(text: str, concept_id: str, least_concepts: int = COMPLETE_CONCEPTS) -> str:
    statements = read_statements(text, least_concepts=least_concepts)
    if concept_id in statements.stated:
        return "stated"
    return "silent" if statements.is_silent(concept_id) else "unknown"


@pytest.mark.parametrize(
    ("text", "concept_id", "said"),
    [
        ("Invasive ductal carcinoma with necrosis.", "necrosis", "stated"),
        ("Invasive ductal carcinoma with comedonecrosis.", "necrosis", "stated"),
        ("Invasive ductal carcinoma.", "carcinoma", "stated"),
        ("Invasive ductal carcinoma. No necrosis.", "necrosis", "silent"),
        ("Invasive ductal carcinoma. No necrosis.", "comedonecrosis", "silent"),
        ("Fibroadenoma. No comedonecrosis.", "necrosis", "unknown"),
        ("Fibroadenoma. No comedonecrosis.", "comedonecrosis", "silent"),
        ("Fibroadenoma. pT1 L0", "lymphovascular-invasion", "unknown"),
        ("Possible lymphoma.", "lymphoma", "unknown"),
        ("Possible lymphoma.", "hodgkin-lymphoma", "unknown"),
        ("Squamous cell carcinoma. History of melanoma.", "melanoma", "unknown"),
        ("A: No necrosis. B: Necrosis is present.", "necrosis", "stated"),
        ("Squamous cell carcinoma. L0 V0 Pn1", "perineural-invasion", "stated"),
        ("Squamous cell carcinoma. L0 V0 Pn1", "lymphatic-invasion", "silent"),
        ("DIAGNOSIS:\nCarcinoma, no necrosis.\nGROSS DESCRIPTION:\nThe tumour is necrotic.", "necrosis", "silent"),
        ("DIAGNOSIS:\nNo necrosis.\nMICROSCOPY:\nFat necrosis.", "fat-necrosis", "stated"),
    ],
)
def test_what_a_report_says_of_a_concept(text: str, concept_id: str, said: str) -> None:
    assert _say(text, concept_id) == said


def test_short_reports_are_silent_on_other_malignancies_alone() -> None:
    text = "Prostate, biopsy: carcinoma."
    assert _say(text, "melanoma") == "silent"
    assert _say(text, "sarcoma") == "silent"
    assert _say(text, "adenocarcinoma") == "unknown", "a kind of what is stated may be left open"
    assert _say(text, "fibrosis") == "unknown"
    assert _say(text, "metastasis") == "unknown"
    assert _say("Tissue of the colon.", "melanoma") == "unknown", "no diagnosis is stated"


def test_long_reports_are_silent_on_purpose() -> None:
    assert _say(LONG, "desmoplasia") == "stated"
    assert _say(LONG, "keratinization") == "silent"
    assert _say(LONG, "necrosis") == "silent"
    assert _say(LONG, "lymphovascular-invasion") == "unknown"
    assert _say(LONG, "melanoma") == "unknown"
    assert _say("Fibroadenoma.", "keratinization") == "unknown"
    assert _say("Fibroadenoma.", "keratinization", least_concepts=0) == "silent"
    named = len({mention.concept_id for mention in extract_facts(LONG).mentions})
    assert _say(LONG, "keratinization", least_concepts=named) == "silent"
    assert _say(LONG, "keratinization", least_concepts=named + 1) == "unknown"


def test_reports_that_are_short_by_their_form_are_complete_where_they_name_half_of_what_is_usual() -> None:
    usual = ["Carcinoma with necrosis, fibrosis and ulceration."] * 3
    brief, briefer = "Carcinoma with necrosis.", "Carcinoma."
    statements = read_corpus([*usual, brief, briefer])
    assert [report.is_complete for report in statements] == [True, True, True, True, False]
    assert [report.is_complete for report in read_corpus([LONG] * 3 + usual)] == [True] * 3 + [False] * 3
    assert read_corpus([]) == ()


def test_stored_facts_say_what_the_text_says() -> None:
    text = "Invasive ductal carcinoma with calcification. No fibrosis. Possible melanoma."
    vocabulary = load_vocabulary()
    facts = list_facts(extract_facts(text), vocabulary)
    assert parse_statements(facts, is_complete=False) == read_statements(text)
    assert parse_statements(("finding:of-another-vocabulary", "grade:2")).stated == frozenset()


@given(
    st.lists(st.sampled_from(("necrosis", "carcinoma", "melanoma", "no fibrosis", "possible lymphoma", "ulceration")))
)
def test_a_concept_is_said_to_be_one_thing(parts: list[str]) -> None:
    statements = read_statements(". ".join(parts))
    sets = (statements.stated, statements.silent, statements.doubted)
    assert sum(map(len, sets)) == len(frozenset().union(*sets))


def _reports(*texts: str) -> list[ConceptStatements]:
    return list(read_corpus(texts, least_concepts=0))


def test_the_most_frequent_come_first_and_patients_have_one_vote() -> None:
    reports = _reports(*["Necrosis."] * 4, *["Fibrosis."] * 3, *["Ulceration."] * 2)
    prompts = choose_prompts(reports, [f"p{place}" for place in range(9)], least_patients=2)
    assert [(prompt.concept_id, prompt.patients) for prompt in prompts] == [
        ("necrosis", 4),
        ("fibrosis", 3),
        ("ulceration", 2),
    ]
    one_patient = choose_prompts(reports, ["p0", "p0", "p0", "p0", *"abcde"], least_patients=2)
    assert [prompt.concept_id for prompt in one_patient] == ["fibrosis", "ulceration"]
    assert [prompt.concept_id for prompt in choose_prompts(reports, list("abcdefghi"), least_patients=2, most=1)] == [
        "necrosis"
    ]


def test_ties_are_in_the_order_of_names_whatever_the_order_of_reports() -> None:
    reports = _reports("Ulceration.", "Fibrosis.", "Necrosis.", "Ulceration.", "Fibrosis.", "Necrosis.")
    patients = list("abcdef")
    order = np.random.default_rng(0).permutation(6)
    prompts = choose_prompts(reports, patients, least_patients=2)
    assert prompts == choose_prompts([reports[i] for i in order], [patients[i] for i in order], least_patients=2)
    assert [prompt.text for prompt in prompts] == ["fibrosis", "necrosis", "ulceration"]


def test_prompts_have_their_ways_of_writing_with_the_name_first() -> None:
    vocabulary = load_vocabulary()
    reports = _reports(*["Squamous cell carcinoma."] * 5, *["Fibrosis."] * 5)
    prompt = choose_prompts(reports, list("abcdefghij"))[1]
    assert prompt.concept_id == "squamous-cell-carcinoma"
    assert prompt.text == prompt.texts[0] == vocabulary["squamous-cell-carcinoma"].name
    assert "SCC" in prompt.texts


def test_what_teaches_nothing_is_no_prompt() -> None:
    texts = [*["Colon, left, biopsy: fibrosis and necrosis at the margin."] * 6, *["Fibrosis. No ulceration."] * 4]
    prompts = choose_prompts(_reports(*texts), list("abcdefghij"), least_patients=2)
    assert [prompt.concept_id for prompt in prompts] == ["necrosis"], "neither what all have nor what none has"


def test_a_broader_concept_of_the_same_patients_is_no_prompt_of_its_own() -> None:
    narrow = ["Keratin pearls."] * 3 + ["Fibrosis."] * 3
    ids = [prompt.concept_id for prompt in choose_prompts(_reports(*narrow), list("abcdef"), least_patients=2)]
    assert ids == ["fibrosis", "keratin-pearl"]
    wider = [*narrow, "Keratinization."]
    ids = [prompt.concept_id for prompt in choose_prompts(_reports(*wider), list("abcdefg"), least_patients=2)]
    assert ids == ["keratinization", "fibrosis", "keratin-pearl"]


def test_a_prompt_that_no_report_is_silent_on_is_left_out() -> None:
    short = [read_statements(text) for text in [*["Necrosis."] * 5, *["Fibrosis."] * 5]]
    with pytest.raises(NoPrompts):
        choose_prompts(short, list("abcdefghij"))


def test_reports_without_terms_are_refused_in_one_line() -> None:
    with pytest.raises(NoPrompts) as raised:
        choose_prompts(_reports("See the letter.", "Nothing to add."), ["a", "b"])
    error = raised.value
    assert (error.reports, error.patients, error.least_patients) == (2, 2, 5)
    assert "\n" not in str(error)
    assert "no term of the vocabulary" in str(error)


@pytest.fixture(scope="module")
def captions(shared_data: Path) -> list[str]:
    with (shared_data / "reports" / "patchgastric_captions.csv").open(encoding="utf-8") as file:
        return [row["text"] for row in islice(csv.DictReader(file), 150)]


def test_real_captions_are_counted_as_they_read(captions: list[str]) -> None:
    prompts = choose_prompts(read_corpus(captions), [str(place) for place in range(len(captions))])
    counts = {prompt.concept_id: prompt.patients for prompt in prompts}
    for concept_id, words in (
        ("papillary-adenocarcinoma", "papillary adenocarcinoma"),
        ("tubular-adenocarcinoma", "tubular adenocarcinoma"),
    ):
        assert counts[concept_id] == sum(words in text.lower() for text in captions)
    assert [prompt.patients for prompt in prompts] == sorted(counts.values(), reverse=True)


def test_most_real_reports_are_complete(shared_data: Path) -> None:
    with gzip.open(shared_data / "reports" / "tcga_reports.jsonl.gz", "rt", encoding="utf-8") as file:
        statements = read_corpus([json.loads(line)["text"] for line in islice(file, 8)])
    assert sum(report.is_complete for report in statements) > 4
    assert all("malignant-neoplasm" in report.stated for report in statements if "carcinoma" in report.stated)
