"""Labels and their answers, as forms and synoptic reports lay them out."""

from __future__ import annotations

import pytest

from histoseek.reports.language.answers import find_answers


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Necrosis: absent", [("Necrosis", "absent", "no")]),
        ("Grade: 2", [("Grade", "2", "value")]),
        ("Perineural Invasion:\nNot identified", [("Perineural Invasion", "Not identified", "no")]),
        ("Distant Metastasis (pM)\nNot applicable", [("Distant Metastasis (pM)", "Not applicable", "unstated")]),
        ("Lymphatic: Absent Venous :Present", [("Lymphatic", "Absent", "no"), ("Venous", "Present", "yes")]),
        ("Arterial:\nVenous:\nAbsent\nPresent", [("Arterial", "Absent", "no"), ("Venous", "Present", "yes")]),
        ("Histologic type:\nAdenocarcinoma", [("Histologic type", "Adenocarcinoma", "value")]),
        ("Necrosis: [ ] present [x] absent", [("Necrosis", "absent", "no")]),
        ("Necrosis: present / absent", [("Necrosis", "present / absent", "unstated")]),
        ("Stomach: no carcinoma", [("Stomach", "no carcinoma", "value")]),
        ("Positive nodes: 0", [("Positive nodes", "0", "no")]),
        ("Carcinoma of the stomach.", []),
        ("Seen at 10:30.", []),
    ],
)
def test_labels_with_their_answers(text: str, expected: list[tuple[str, str, str]]) -> None:
    answers = find_answers(text)
    own = [(text[a.label.start : a.label.end], text[a.value.start : a.value.end], a.kind.value) for a in answers]
    assert own == expected
