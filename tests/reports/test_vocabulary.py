"""The packaged vocabulary holds together; a user's file adds to it, and its faults are told in one line."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from histoseek.errors import InputError
from histoseek.reports.concepts.terms import find_terms
from histoseek.reports.concepts.vocabulary import load_vocabulary

VOCABULARY = load_vocabulary()


def _own(tmp_path: Path, content: str) -> Path:
    path = tmp_path / "own.toml"
    path.write_text(content, encoding="utf-8")
    return path


def test_it_covers_surgical_pathology_widely() -> None:
    kinds = Counter(concept.kind for concept in VOCABULARY.concepts.values())
    organs = {VOCABULARY.find_organ(concept.id) for concept in VOCABULARY.concepts.values() if concept.kind == "organ"}
    assert len(VOCABULARY.concepts) >= 900
    assert len(organs) >= 60
    assert kinds["diagnosis"] >= 400
    assert min(kinds[kind] for kind in ("procedure", "finding", "organ")) >= 80
    assert VOCABULARY.version


def test_every_way_to_write_a_concept_finds_it_and_nothing_else() -> None:
    ways = [
        (concept_id, way.text) for concept_id in VOCABULARY.concepts for way in VOCABULARY.list_surfaces(concept_id)
    ]
    found = {way: [mention.concept_id for mention in find_terms(way[1])] for way in ways}
    assert {way: ids for way, ids in found.items() if ids != [way[0]]} == {}


def test_ancestors_go_up_to_the_root() -> None:
    above = VOCABULARY.find_ancestors("acinar-adenocarcinoma-of-prostate")
    assert {"prostatic-adenocarcinoma", "adenocarcinoma", "carcinoma", "malignant-neoplasm", "neoplasm"} == above
    assert VOCABULARY.measure_depth("acinar-adenocarcinoma-of-prostate") == 5


def test_descendants_are_the_inverse_of_ancestors() -> None:
    below = VOCABULARY.find_descendants("adenocarcinoma")
    naive = {one for one in VOCABULARY.concepts if "adenocarcinoma" in VOCABULARY.find_ancestors(one)}
    assert below == naive
    assert "lung-adenocarcinoma" in below
    assert "adenocarcinoma" not in below


def test_most_specific_drops_what_stands_above() -> None:
    given = ["carcinoma", "fibrosis", "lung-adenocarcinoma", "adenocarcinoma", "carcinoma"]
    assert VOCABULARY.keep_most_specific(given) == ("fibrosis", "lung-adenocarcinoma")


def test_parts_and_diagnoses_lead_to_their_organ() -> None:
    assert VOCABULARY.find_organ("gastric-antrum") == "stomach"
    assert VOCABULARY.find_organ("hepatocellular-carcinoma") == "liver"
    assert VOCABULARY.find_organ("sarcoma") == ""


def test_an_unknown_concept_is_refused() -> None:
    with pytest.raises(InputError, match="no-such-thing: no such concept"):
        VOCABULARY["no-such-thing"]


def test_a_users_file_adds_concepts_and_ways_to_write(tmp_path: Path) -> None:
    own = _own(
        tmp_path,
        'version = "house 3"\n[diagnosis]\n'
        'glioma-of-our-house = { name = "glioma of our house", parents = ["glioma"], organ = "brain" }\n'
        'fibroadenoma = { synonyms = ["fibroadenoma mammae"], abbreviations = ["FBA"] }\n',
    )
    vocabulary = load_vocabulary(own)
    found = find_terms("Glioma of our house. Fibroadenoma mammae, FBA, fba.", vocabulary)
    assert [mention.concept_id for mention in found] == ["glioma-of-our-house", "fibroadenoma", "fibroadenoma"]
    assert "malignant-neoplasm" not in vocabulary.find_ancestors("glioma-of-our-house")
    assert vocabulary["fibroadenoma"].parents == VOCABULARY["fibroadenoma"].parents
    assert vocabulary.fingerprint != VOCABULARY.fingerprint


def test_a_users_file_takes_a_way_to_write_over(tmp_path: Path) -> None:
    own = _own(
        tmp_path,
        'version = "1"\n[diagnosis]\nskin-scc = { name = "our skin cancer", abbreviations = ["SCC"], organ = "skin" }\n'
        'squamous-cell-carcinoma = { remove = ["SCC"] }\n',
    )
    assert [mention.concept_id for mention in find_terms("SCC", load_vocabulary(own))] == ["skin-scc"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("version = ", "own.toml: is not a TOML file"),
        ('[diagnosis]\na = { name = "a" }', "own.toml: has no version"),
        ('version = "1"\n[disease]\na = { name = "a" }', "own.toml: [disease] is not a kind of concept"),
        ('version = "1"\n[diagnosis]\naa = { nme = "a" }', "own.toml, entry aa: unknown key 'nme'"),
        ('version = "1"\n[diagnosis]\naa = { synonyms = "a" }', "own.toml, entry aa: synonyms is not a list"),
        ('version = "1"\n[diagnosis]\naa = { synonyms = [1] }', "own.toml, entry aa: synonyms is not a text"),
        ('version = "1"\n[diagnosis]\naa = "a"', "own.toml, entry aa: the entry is not a table"),
        ('version = "1"\n[diagnosis]\naa = { parents = ["bb"] }', "own.toml, entry aa: parent 'bb' is not a concept"),
        (
            'version = "1"\n[diagnosis]\naa = { organ = "fibrosis" }',
            "own.toml, entry aa: organ 'fibrosis' is not an organ",
        ),
        ('version = "1"\n[finding]\nlymphoma = { name = "a" }', "own.toml, entry lymphoma: is under [finding]"),
        ('version = "1"\n[diagnosis]\ncarcinoma = { parents = ["adenocarcinoma"] }', "is its own ancestor"),
    ],
)
def test_faults_name_file_and_entry_in_one_line(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        load_vocabulary(_own(tmp_path, content))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value).replace(str(tmp_path), "")


def test_one_way_to_write_two_concepts_is_refused(tmp_path: Path) -> None:
    own = _own(tmp_path, 'version = "1"\n[diagnosis]\naa = { synonyms = ["Mammary Cancer", "breast cancers"] }')
    with pytest.raises(InputError, match="entry aa: 'breast cancers' is already a way to write breast-carcinoma"):
        find_terms("anything", load_vocabulary(own))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        load_vocabulary(tmp_path / "none.toml")
