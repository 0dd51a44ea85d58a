"""Queries are widened by the vocabulary; what they deny is kept apart."""

from __future__ import annotations

from histoseek.reports.concepts.expansion import Expansion, expand_query, suggest_words
from histoseek.reports.concepts.vocabulary import load_vocabulary


def test_a_concept_brings_its_other_names_with_weights() -> None:
    weights = {term.text: (term.relation, term.weight) for term in expand_query("IDC of the breast").terms}
    assert weights["invasive carcinoma of no special type"] == ("named", 1.0)
    assert weights["invasive ductal carcinoma"] == ("synonym", 0.8)


def test_broader_and_narrower_concepts_weigh_less_with_each_step() -> None:
    how = Expansion(synonym=0.5, broader=0.4, narrower=0.6, steps=2)
    terms = {term.text: term for term in expand_query("prostatic adenocarcinoma", expansion=how).terms}
    assert (terms["adenocarcinoma"].relation, terms["adenocarcinoma"].weight) == ("broader", 0.4)
    assert abs(terms["carcinoma"].weight - 0.16) < 1e-12
    assert (terms["acinar adenocarcinoma"].relation, terms["acinar adenocarcinoma"].weight) == ("narrower", 0.6)
    assert "malignant neoplasm" not in terms


def test_nothing_is_added_where_nothing_is_asked_for() -> None:
    bare = Expansion(synonym=0.0, broader=0.0, narrower=0.0)
    assert [term.text for term in expand_query("melanoma", expansion=bare).terms] == ["melanoma"]


def test_what_a_query_denies_is_excluded_with_all_below_it() -> None:
    query = expand_query("lung adenocarcinoma without necrosis in smokers")
    assert query.concepts == ("lung-adenocarcinoma",)
    assert query.excluded == ("necrosis",)
    vocabulary = load_vocabulary()
    below = {"necrosis", *vocabulary.find_descendants("necrosis")}
    assert {term.concept_id for term in query.excluded_terms} == below
    assert query.rest == "in smokers"


def test_doubt_in_a_query_excludes_nothing() -> None:
    query = expand_query("melanoma vs naevus, necrosis?")
    assert set(query.concepts) == {"melanoma", "naevus", "necrosis"}
    assert query.excluded == ()


def test_misspelt_words_get_the_nearest_known_one() -> None:
    (found,) = suggest_words("poorly differentiated adenocarcinma")
    assert (found.word, found.suggestion) == ("adenocarcinma", "adenocarcinoma")
    assert "poorly differentiated adenocarcinma"[found.start : found.end] == "adenocarcinma"
    assert [one.suggestion for one in expand_query("carcnoma with necrsis").suggestions] == ["carcinoma", "necrosis"]


def test_known_words_are_not_corrected_and_are_suggested() -> None:
    assert suggest_words("adenocarcinma", known_words=frozenset({"adenocarcinma"})) == ()
    assert suggest_words("tumours haemorrhage hemorrhages") == ()
    (found,) = suggest_words("zygomaticc", known_words=frozenset({"zygomatic"}))
    assert found.suggestion == "zygomatic"


def test_words_far_from_all_others_get_none() -> None:
    assert suggest_words("xylophone quartz") == ()
