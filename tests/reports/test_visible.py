"""What a stained slide can show of a report, and asking a language model about it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from histoseek.errors import ConfigurationError, EncoderError
from histoseek.reports.language.sections import split_sections
from histoseek.reports.visible.language_model import HttpJudge, create_judge
from histoseek.reports.visible.rules import (
    LANGUAGE_MODEL_RULE,
    judge_sentences,
    load_packaged_rules,
    load_rules,
    select_visible_text,
)


def rule_of(sentence: str) -> str | None:
    """The rule that speaks first against a sentence that stands in a microscopic description."""
    found = judge_sentences(split_sections(f"MICROSCOPIC DESCRIPTION:\n{sentence}"))
    return next((verdict.rule for verdict in found if not verdict.is_visible), None)


HIDDEN = {
    "billing or signature": [
        "Electronically signed by the attending.",
        "ICD-10: C61",
        "This test was developed by the laboratory.",
    ],
    "date or receipt": ["Date of report: 3 May", "Received: Monday"],
    "communication": ["Findings were discussed with the surgeon.", "The clinic was notified by phone."],
    "clinical correlation": [
        "Clinical correlation is advised.",
        "Correlation with imaging is needed.",
        "Follow-up is recommended.",
    ],
    "pending study": ["Results are pending.", "Immunohistochemistry will follow."],
    "another report": ["See comment.", "Compared to the previous biopsy there is no change.", "As in S21-12345."],
    "intraoperative consultation": ["Frozen section was deferred."],
    "clinical history": ["61-year-old man.", "History of breast cancer.", "PSA 7.5", "MRI showed a mass."],
    "question": ["Basal cell carcinoma?"],
    "immunohistochemistry result": [
        "Tumor cells are positive for CK7 and TTF-1.",
        "ER: 90 %, PR: 5 %, HER2: 1+",
        "The Ki-67 index is 20 %.",
        "S-100 highlights the nerves.",
        "PAS stain is negative.",
    ],
    "molecular result": ["KRAS mutation detected.", "The tumor is microsatellite stable (MSS).", "1p/19q codeletion"],
    "stage": ["pT2a pN0", "AJCC stage IIA", "Stage: pT3, pN1b"],
    "node count": ["Two of twelve lymph nodes are involved.", "Lymph nodes (0/14): negative", "12 nodes examined"],
    "margins inked": ["The specimen is inked blue."],
    "margin status": ["The resection margins are free.", "Margins negative.", "Tumor is close to the deep margin."],
    "gross measurement": ["The mass is 3 x 2 x 1 cm.", "It weighs 35 g.", "Tumor size: 2.2 cm"],
    "gross appearance": ["The spleen has a tan-red rubbery parenchyma.", "There is no gross evidence of rupture."],
    "tissue handling": ["Fixed in formalin, sectioned.", "Submitted entirely in cassette A1."],
    "treatment or prognosis": ["This carries a poor prognosis."],
    "bare label": ["Findings:", "Present.", "Tumor histologic grade (Gleason's)"],
    "specimen title": [
        "A. Spleen, left upper quadrant, splenectomy:",
        "PART 4: SPLEEN, PARTIAL SPLENECTOMY",
        "C: POSTERIOR MARGIN",
    ],
    "row of a form": ["Tumor site: upper pole", "Focality: unifocal", "Specimen laterality: left"],
    "unstated value": [
        "Growth pattern: not specified",
        "Vascular invasion: cannot be determined",
        "Necrosis: N/A",
        "Lymphoma: not applicable",
    ],
    "uninvolved tissue": [
        "Spleen: uninvolved.",
        "No pathologic changes.",
        "The splenic hilum and ducts are free of tumor.",
    ],
    "scanning debris": ["IIlII lllI IIIIl ^^ ~' IIII", "cUQ;rrllNti ^3 -'^ dkk"],
    "no morphology": ["The car is parked outside.", "Continued on next page", "Spleen."],
    "no words": ["*** 12/3 ***"],
}

SEEN = [
    "Resected colon with free margins and a moderately differentiated adenocarcinoma (pT3 N0), 3 cm.",
    "Venous (large vessel): not identified",
    "Perineural invasion.",
    "Histologic type: adenocarcinoma",
    "Tumor necrosis: absent",
    "Lymphovascular invasion: not identified",
    "Perineural invasion: present",
    "Differentiation: poor",
    "Mitoses: 12 per 10 high power fields",
    "A. Spleen, splenectomy: Large cell lymphoma.",
    "The tumor cells are embedded in a myxoid stroma.",
    "DIFFUSE LARGE CELL LYMPHOMA (SEE COMMENT)",
    "Lymphoma is seen in block A5, with vascular invasion.",
    "Invasive carcinoma of no special type, grade II (Tubule formation: 3, Nuclear grade: 2, Mitoses: 1)",
    "Acinar adenocarcinoma, Gleason's score 7 (4+3), grade group 3, tumor volume: 95%",
    "Prostate, needle biopsy:",
    "Breast, sono-guided core biopsy;",
    "The tumor has infiltrative margins and invades perineural spaces.",
    "Tumor extends over a length of 11 mm.",
    "Endometrioid adenocarcinoma, FIGO grade 1",
    "No necrosis, no lymphovascular invasion.",
    "The specimen includes muscle proper.",
    "Large atypical cells which form ducts are proliferating.",
    "Squamous cell carcinoma, p16 positive, with keratin pearls",
    "Suture granuloma with foreign body giant cells.",
    "There are 12 mitoses per 10 high power fields.",
    "Metastatic carcinoma in one lymph node with extranodal extension.",
    "Chronic gastritis with Helicobacter pylori.",
    "Samples I-III (PIRADS 5): Adenocarcinoma in all biopsies, Gleason score 3 + 4 = 7",
]


@pytest.mark.parametrize(("rule", "sentence"), [(rule, text) for rule, texts in HIDDEN.items() for text in texts])
def test_each_rule_marks_its_sentences(rule: str, sentence: str) -> None:
    assert rule_of(sentence) == rule


@pytest.mark.parametrize("sentence", SEEN)
def test_what_a_slide_shows_is_kept(sentence: str) -> None:
    assert rule_of(sentence) is None


def test_every_packaged_rule_has_an_example() -> None:
    by_section = {rule.name for rule in load_packaged_rules() if rule.sections}
    assert by_section == {
        "history",
        "gross description",
        "ancillary result",
        "administrative section",
        "frozen section",
    }
    by_report = {"before the report", "uninvolved specimen"}
    assert {rule.name for rule in load_packaged_rules()} - by_section - by_report == set(HIDDEN)
    assert all(rule.why for rule in load_packaged_rules())


REPORT = """CLINICAL HISTORY: Cough for weeks.
GROSS: A grey piece of tissue.
MICROSCOPIC: Sheets of atypical cells. TTF-1 is positive. Necrosis is present.
DIAGNOSIS:
A. Lung, biopsy: Adenocarcinoma.
B. Pleura, biopsy: Fibrosis."""


def test_the_visible_text_of_a_report() -> None:
    report = split_sections(REPORT)
    assert select_visible_text(report) == (
        "Sheets of atypical cells. Necrosis is present.\nA. Lung, biopsy: Adenocarcinoma.\nB. Pleura, biopsy: Fibrosis."
    )
    assert [verdict.rule for verdict in judge_sentences(report)] == [
        *("history", "gross description", None, "immunohistochemistry result", None, None, None)
    ]


CASE = """UUID of Somewhere Hospital with atypical letterhead
SPECIMENS SUBMITTED:
A. Spleen
B. Lymph node
C. Gallbladder
FROZEN SECTION DIAGNOSIS:
A. Atypical cells.
FINAL DIAGNOSIS:
A. Spleen, splenectomy:
Diffuse large cell lymphoma with necrosis.
Capsular invasion: present
B. Lymph node, excision:
Lymphoid tissue, negative for lymphoma.
C. Gallbladder, cholecystectomy:
Chronic cholecystitis.
No evidence of malignancy.
ADDENDUM:
Further sections show sclerosis.
"""


def test_sections_and_specimens_decide_before_words() -> None:
    verdicts = judge_sentences(split_sections(CASE))
    assert [verdict.sentence.text for verdict in verdicts if verdict.is_visible] == [
        *("Diffuse large cell lymphoma with necrosis.", "Capsular invasion: present", "Chronic cholecystitis."),
        "Further sections show sclerosis.",
    ]
    rules = {verdict.sentence.text: verdict.rule for verdict in verdicts}
    assert rules["UUID of Somewhere Hospital with atypical letterhead"] == "before the report"
    assert rules["A. Atypical cells."] == "frozen section"
    assert rules["Lymphoid tissue, negative for lymphoma."] == "uninvolved specimen"
    assert rules["No evidence of malignancy."] == "uninvolved specimen"


def test_a_report_without_tumour_keeps_its_denials() -> None:
    text = "DIAGNOSIS:\nA. Spleen, excision:\nNo evidence of malignancy.\nB. Node, excision:\nFibrosis."
    assert "No evidence of malignancy." in select_visible_text(split_sections(text))


def test_languages_other_than_english_are_no_debris() -> None:
    text = "Mikroskopie: Schnittpräparate mit Infiltraten eines mäßig differenzierten Plattenepithelkarzinoms."
    assert "Plattenepithelkarzinoms" in select_visible_text(split_sections(text))


def test_unheaded_text_is_judged_by_its_words_alone() -> None:
    assert select_visible_text(split_sections("Atypical cells form ducts.")) == "Atypical cells form ducts."
    assert select_visible_text(split_sections("")) == ""


def test_rules_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text('[[rule]]\nname = "cells"\nwhy = "a test"\npattern = "atypical\\n cells"\nunless = "no "\n')
    rules = load_rules(path)
    report = split_sections("Atypical cells. No atypical cells. Ki-67 is low.")
    assert select_visible_text(report, rules) == "No atypical cells. Ki-67 is low."


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("rule = 3", "not a file of rules"),
        ("[[rule]", "not a file of rules"),
        ('[[rule]]\nname = "a"\nwhy = ""', "fits everything"),
        ('[[rule]]\nname = "a"\nwhy = ""\nsections = ["grosss"]', "unknown sections"),
        ('[[rule]]\nname = "a"\nwhy = ""\ntraits = ["rows"]', "unknown traits"),
        ('[[rule]]\nname = "a"\nwhy = ""\npattern = "("', "not a regular expression"),
    ],
)
def test_bad_rules_say_why(tmp_path: Path, written: str, said: str) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(written)
    with pytest.raises(ConfigurationError, match=said):
        load_rules(path)


class Endpoint:
    """What the server answers, and what it was sent."""

    def __init__(self, answers: Sequence[tuple[int, str]]) -> None:
        self.answers = list(answers)
        self.bodies: list[dict[str, object]] = []
        self.paths: list[str] = []
        self.url = ""


def reply(content: str) -> tuple[int, str]:
    return 200, json.dumps({"choices": [{"message": {"content": content}}]})


@contextmanager
def serving(*answers: tuple[int, str]) -> Iterator[Endpoint]:
    endpoint = Endpoint(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            endpoint.paths.append(self.path)
            endpoint.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            status, body = endpoint.answers.pop(0)
            self.send_response(status)
            if status == 302:
                self.send_header("Location", body)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    endpoint.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield endpoint
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def judge(endpoint: Endpoint, batch: int = 20) -> HttpJudge:
    return HttpJudge(endpoint.url, "model", timeout_s=5.0, retries=2, pause_s=0.0, batch=batch)


def test_the_model_is_asked_about_what_the_rules_leave() -> None:
    with serving(reply("Thinking of [9] ... The answer is [1, 3]")) as endpoint:
        found = judge_sentences(split_sections(REPORT), judge=judge(endpoint))
    assert [verdict.rule for verdict in found if verdict.rule == LANGUAGE_MODEL_RULE or verdict.is_visible] == [
        None,
        LANGUAGE_MODEL_RULE,
        None,
        LANGUAGE_MODEL_RULE,
    ]
    (body,), (path,) = endpoint.bodies, endpoint.paths
    messages = body["messages"]
    assert isinstance(messages, list)
    assert (path, body["model"], body["temperature"]) == ("/v1/chat/completions", "model", 0)
    assert messages[1]["content"] == (
        "1. Sheets of atypical cells.\n2. Necrosis is present.\n3. A. Lung, biopsy: Adenocarcinoma.\n"
        "4. B. Pleura, biopsy: Fibrosis."
    )


def test_sentences_go_in_batches_and_busy_servers_are_tried_again() -> None:
    with serving(reply("[1]"), (503, "busy"), (429, "slow down"), reply("[]")) as endpoint:
        assert judge(endpoint, batch=2).judge(["a", "b", "c"]) == (True, False, False)
    assert len(endpoint.bodies) == 4


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([(401, "no")], "answered with status 401"),
        ([(500, "")] * 3, "answered with status 500, 3 times"),
        ([(302, "http://127.0.0.1:9/elsewhere")], "answered with status 302"),
        ([(200, "no json")], "without an array"),
        ([reply("I cannot tell.")], "without an array"),
        ([reply("[7]")], r"not sent \(\[7\]\)"),
    ],
)
def test_unusable_answers_say_why(answers: list[tuple[int, str]], said: str) -> None:
    with serving(*answers) as endpoint, pytest.raises(EncoderError, match=said):
        judge(endpoint).judge(["a", "b"])
    assert not endpoint.answers


def test_no_server_is_said() -> None:
    with serving() as endpoint:
        url = endpoint.url
    with pytest.raises(EncoderError, match=r"gave no answer .*2 times"):
        HttpJudge(url, "model", timeout_s=5.0, retries=1, pause_s=0.0).judge(["a"])


def test_the_model_is_off_unless_both_settings_are_given() -> None:
    assert create_judge("", "") is None
    assert create_judge("http://localhost:8080/v1", "m") == HttpJudge("http://localhost:8080/v1", "m")


@pytest.mark.parametrize(
    ("url", "name"),
    [("http://x", ""), ("", "m"), ("file:///etc/passwd", "m"), ("localhost:80", "m"), ("http://a:b@host/v1", "m")],
)
def test_settings_that_do_not_fit(url: str, name: str) -> None:
    with pytest.raises(ConfigurationError):
        create_judge(url, name)
