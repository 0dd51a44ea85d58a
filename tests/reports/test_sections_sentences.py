"""Splitting reports into sentences, with their places."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from histoseek.reports.files.report_reader import read_reports
from histoseek.reports.language.sentences import split_sentences, unwrap


def split(text: str) -> list[str]:
    return [found.text for found in split_sentences(text)]


@pytest.mark.parametrize(
    "text",
    [
        "Adenokarzinom, G2.|pT2, R0.",
        "V.a. Karzinom.|Z.n. Resektion.",
        "A-B. Sections show glands.|They are small.",
        "Stage pT2a.|No nodes are involved.",
        "Specimen No. 3 shows carcinoma, approx. 3.5 cm.|It is grade 2.",
        "Invasion: No.|Necrosis: Yes.",
        "The tumor measures 2.5 cm.|The margins are free.",
        "Dr. Smith was told by J. Doe.|See Fig. 2.",
        "Biopsy of specimen A.|The tumor is solid.",
        "Is it malignant?|Yes!|It is.",
        "胃腺癌。|侵及肌层。|淋巴结未见转移",
        "Approx. 5 mitoses per 10 HPF.|Ki-67 is low.",
        "E.g. a duct, i.e. a gland.|Ca. 5 mm.",
    ],
)
def test_full_stops(text: str) -> None:
    assert split(text.replace("|", " ")) == text.split("|")


def test_a_full_stop_without_a_space_behind_it() -> None:
    assert split("Seen at the edge (left).Next it is.") == ["Seen at the edge (left).", "Next it is."]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Breast, core biopsy;\n  Invasive carcinoma", ["Breast, core biopsy;", "Invasive carcinoma"]),
        ("1. Carcinoma\n2. Ductal carcinoma\n   in situ\n- Type: Solid", ["1. Carcinoma", "2. Ductal carcinoma in situ",
                                                                          "- Type: Solid"]),
        ("Tumor type: ductal\nGrade: 2\nLVI: present", ["Tumor type: ductal", "Grade: 2", "LVI: present"]),
        ("A line that a scanner has wrapped at its edge, behind which Paget\ndisease goes on.",
         ["A line that a scanner has wrapped at its edge, behind which Paget disease goes on."]),
        ("A long line that was wrapped before a name, that of a disease, so\nPaget goes on.",
         ["A long line that was wrapped before a name, that of a disease, so Paget goes on."]),
        ("Short line\nAnother short line", ["Short line", "Another short line"]),
        ("One paragraph\n\nanother", ["One paragraph", "another"]),
        ("An adeno-\ncarcinoma, well-\ndifferentiated, CK-\n7 positive  and\tmore.",
         ["An adenocarcinoma, well-differentiated, CK-7 positive and more."]),
    ],
)  # fmt: skip
def test_lines(text: str, found: list[str]) -> None:
    assert split(text) == found


PIECES = [*"aA bB1.2?!:;,-\n\n  ", "No. ", "cm. ", "pT2a. ", "\n1. ", "\n- ", "Dr. ", "。", "A. ", "\nNote: "]
REPORTLIKE = st.lists(st.sampled_from(PIECES)).map("".join)


@given(st.one_of(st.text(), REPORTLIKE))
@example("...\n. .\n-\na")
def test_nothing_but_white_space_is_lost(text: str) -> None:
    found = split_sentences(text)
    place = 0
    for sentence in found:
        assert not text[place : sentence.start].strip()
        raw = text[sentence.start : sentence.end]
        assert raw == raw.strip() != ""
        assert sentence.text == unwrap(raw)
        place = sentence.end
    assert not text[place:].strip()


@given(st.text(), st.integers(0, 20), st.integers(0, 20))
def test_a_part_of_a_text_keeps_the_places_of_the_whole(text: str, start: int, length: int) -> None:
    end = start + length
    found = split_sentences(text, min(start, len(text)), min(end, len(text)))
    assert all(start <= sentence.start < sentence.end <= end for sentence in found)
    spoken = "".join(text[sentence.start : sentence.end] for sentence in found)
    assert "".join(spoken.split()) == "".join(text[start:end].split())


def test_real_reports_keep_all_their_words(shared_data: Path) -> None:
    reports = read_reports([shared_data / "reports" / "reg2025_reports.json"]).reports
    texts = sorted({report.text for report in reports})
    texts += [
        entry["conversations"][1]["value"]
        for entry in json.loads((shared_data / "reports" / "wsibench_report_test.json").read_text())
    ]
    for text in texts:
        assert "".join("".join(text[s.start : s.end] for s in split_sentences(text)).split()) == "".join(text.split())
