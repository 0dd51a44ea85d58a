"""The page of an evaluation: nothing from elsewhere, every figure there, no claim that the tests don't carry."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from histoseek.api import Archive
from histoseek.errors import InputError
from histoseek.evaluation.averages import SUMMARY_NAMES
from histoseek.evaluation.confounders import Control, SiteCheck
from histoseek.evaluation.leaks import Leak
from histoseek.evaluation.outcome import ArchiveMap, Evaluation, MapPoint, WorstQuery
from histoseek.evaluation.report.evaluation_page import (
    MOST_LEAKS,
    MOST_NEAREST,
    MOST_WORST_QUERIES,
    load_worst_pictures,
    render_evaluation,
    write_evaluation,
)
from histoseek.evaluation.report.figure_tables import find_best, find_significances
from histoseek.evaluation.report.figure_text import (
    describe_site_check,
    format_interval,
    format_p,
    format_signed,
    format_signed_interval,
)
from histoseek.evaluation.report.glossary import explain_metric, list_glossary
from histoseek.evaluation.report.svg import DASH
from histoseek.evaluation.scores import MetricEstimate
from histoseek.evaluation.significance import SystemComparison
from tests.evaluation.archives import labelled_archive
from tests.evaluation.evaluations import CLASSES, SYSTEMS, evaluation_of

NAN = float("nan")
HOSTILE = "</svg><script>alert(\"'&\x07')</script>"
MINUS = "\N{MINUS SIGN}"


class Page(HTMLParser):
    """Tags with their attributes, texts, and the cells of every table as rows of lines."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.rows: list[list[str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
        elif tag == "small":
            self.rows[-1][-1] += " | "

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data.strip()


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    return evaluation_of()


@pytest.fixture(scope="module")
def html(evaluation: Evaluation) -> str:
    return render_evaluation(evaluation, None)


def test_the_page_loads_and_runs_nothing(html: str) -> None:
    for tag, attributes in Page(html).tags:
        assert tag not in ("script", "link", "iframe", "object", "embed", "base", "form", "use", "image"), tag
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "href", "xlink:href", "srcset", "action", "data"):
            assert str(attributes.get(name) or "#").startswith(("data:", "#"))
    assert "@import" not in html
    assert "url(" not in html
    assert "default-src 'none'" in html
    assert set(re.findall(r"https?://[^\s\"'<]+", html)) == {"http://www.w3.org/2000/svg"}


def test_its_charts_are_xml(html: str) -> None:
    charts = [ElementTree.fromstring(found) for found in re.findall(r"<svg.*?</svg>", html, re.DOTALL)]
    assert len(charts) == 9
    for chart in charts:
        assert chart.get("role") == "img"
        assert chart[0].tag.endswith("title")
        assert chart[0].text == chart.get("aria-label")


def test_hostile_names_stay_text(evaluation: Evaluation) -> None:
    first = evaluation.results[0]
    classes = tuple(replace(each, label=HOSTILE) for each in first.scores.classes)
    bad = replace(
        evaluation,
        subject=replace(evaluation.subject, archive=HOSTILE, label=HOSTILE, classes=(HOSTILE,) * len(CLASSES)),
        results=(replace(first, name=HOSTILE, scores=replace(first.scores, classes=classes)), *evaluation.results[1:]),
        comparisons=tuple((HOSTILE, found) for _, found in evaluation.comparisons),
        site_checks=(replace(evaluation.site_checks[0], column=HOSTILE),),
        leaks=(replace(evaluation.leaks[0], what=HOSTILE, slide_ids=(HOSTILE,) * 9),),
        worst=(WorstQuery(HOSTILE, HOSTILE, (HOSTILE,), (HOSTILE,), (0.1,)),),
        map=ArchiveMap((HOSTILE,), (MapPoint(HOSTILE, 0.0, 1.0, (HOSTILE,)),)),
        warnings=(HOSTILE,),
    )
    page = render_evaluation(bad, {HOSTILE: "data:image/jpeg;base64,AAAA"})
    known = {tag for tag, _ in Page(render_evaluation(evaluation, {"slide-000": "data:,"})).tags} | {"img"}
    assert {tag for tag, _ in Page(page).tags} <= known
    for found in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        ElementTree.fromstring(found)


def test_every_system_and_metric_is_there(evaluation: Evaluation, html: str) -> None:
    rows = Page(html).rows
    by_name = {row[0]: row for row in reversed(rows)}
    headings = by_name["system"]
    for result in evaluation.results:
        row = by_name[result.name] if result is evaluation.results[0] else _first(rows, result.name)
        for name in ("top-1", "mMV@5", "MAP@5", "balanced accuracy", "macro-F1"):
            metric = result.scores.get_metric(name)
            cell = row[headings.index(name)]
            assert cell.startswith(f"{metric.value:.3f}")
            assert f"{metric.low:.2f} to {metric.high:.2f}" in cell
    full = {row[0]: row for row in rows if len(row) == len(SYSTEMS) + 2}
    assert full["metric"][1:] == ["chance", *(name for name, _ in SYSTEMS)]
    for metric in evaluation.results[-1].scores.metrics:
        assert full[metric.name][1] == f"{metric.chance:.3f}"
        assert full[metric.name][-1].startswith(f"{metric.value:.3f}")


def test_comparisons_show_difference_interval_and_both_p(evaluation: Evaluation, html: str) -> None:
    rows = Page(html).rows
    headings = next(row for row in rows if row[0] == "other system")
    system, comparisons = evaluation.comparisons[-1]
    cell = next(row for row in rows[rows.index(headings) :] if row[0] == system)[headings.index("MAP@5")]
    found = next(each for each in comparisons if each.metric == "MAP@5")
    assert cell == " | ".join(
        (
            f"{found.difference:+.3f}",
            format_signed_interval(found.low, found.high),
            f"p {format_p(found.p)}, Holm {format_p(found.p_holm)}",
        )
    )


def test_leaks_are_named_before_any_figure(html: str) -> None:
    text = Page(html).text
    assert text.index("slide-003-copy") < text.index("Systems")
    assert text.index("slide-007") < text.index("Systems")
    assert "not a medical device" in text


def test_many_leaks_fold_but_none_is_lost(evaluation: Evaluation) -> None:
    leaks = tuple(
        Leak("same file", (f"one-{i}", f"two-{i}"), f"one-{i}, two-{i} are one file") for i in range(MOST_LEAKS + 3)
    )
    page = Page(render_evaluation(replace(evaluation, leaks=leaks)))
    assert all(leak.what in page.text for leak in leaks)
    assert "3 more leaks" in page.text
    assert "more leaks" not in Page(render_evaluation(evaluation)).text


def test_what_is_not_there_is_left_out(evaluation: Evaluation) -> None:
    parts = ("warnings", "comparisons", "sites", "cross-modal", "maps", "worst")
    empty = replace(
        evaluation,
        results=evaluation.results[:1],
        comparisons=(),
        site_checks=(),
        cross_modal=(),
        leaks=(),
        worst=(),
        map=None,
        warnings=(),
    )
    full, bare = Page(render_evaluation(evaluation)), Page(render_evaluation(empty))
    assert set(parts) <= {attributes.get("id") for _, attributes in full.tags}
    assert not set(parts) & {attributes.get("id") for _, attributes in bare.tags}
    assert "Holm" in full.text


def test_undefined_figures_are_dashes(evaluation: Evaluation) -> None:
    first = evaluation.results[0]
    metrics = tuple(replace(each, value=NAN, low=NAN, high=NAN) for each in first.scores.metrics)
    unknown = replace(first, scores=replace(first.scores, metrics=metrics))
    page = Page(render_evaluation(replace(evaluation, results=(unknown, *evaluation.results[1:]))))
    assert _first(page.rows, first.name)[1:9] == [DASH] * 8
    assert not re.search(r"\bnan\b", page.text.lower())


def test_queries_without_neighbours_have_a_column_of_their_own(evaluation: Evaluation) -> None:
    first = evaluation.results[0]
    assert ">none</text>" not in render_evaluation(evaluation)
    confusion = first.scores.confusion.copy()
    confusion[0, -1] = 7
    missing = replace(first, scores=replace(first.scores, confusion=confusion))
    page = render_evaluation(replace(evaluation, results=(missing, *evaluation.results[1:])))
    assert ">none</text>" in page
    assert f"{CLASSES[0]}, voted none: 7 of" in page


def _compared(
    evaluation: Evaluation, values: Sequence[float], differences: Sequence[float], p: Sequence[float]
) -> Evaluation:
    results = tuple(
        replace(result, scores=replace(result.scores, metrics=(MetricEstimate("MAP@5", value, NAN, NAN, 0.1, 9),)))
        for result, value in zip(evaluation.results, values, strict=False)
    )
    comparisons = tuple(
        (result.name, (SystemComparison("MAP@5", difference, NAN, NAN, one, one),))
        for result, difference, one in zip(results[1:], differences, p, strict=True)
    )
    return replace(evaluation, results=results, comparisons=comparisons)


@pytest.mark.parametrize(
    ("values", "differences", "p", "expected"),
    [
        ((0.9, 0.5, 0.4), (0.4, 0.5), (0.01, 0.01), 0),
        ((0.9, 0.5, 0.4), (0.4, 0.5), (0.01, 0.2), None),
        ((0.5, 0.9, 0.4), (-0.4, 0.1), (0.01, 0.2), 1),
        ((0.5, 0.9, 0.4), (-0.4, 0.1), (0.05, 0.2), None),
        ((0.5, 0.9, 0.9), (-0.4, -0.4), (0.01, 0.01), None),
        ((NAN, 0.9, 0.4), (NAN, NAN), (NAN, NAN), None),
        ((NAN, NAN, NAN), (NAN, NAN), (NAN, NAN), None),
        ((0.9,), (), (), None),
    ],
)
def test_only_what_the_tests_set_apart_is_called_best(
    evaluation: Evaluation,
    values: tuple[float, ...],
    differences: tuple[float, ...],
    p: tuple[float, ...],
    expected: int | None,
) -> None:
    made = _compared(evaluation, values, differences, p)
    assert find_best(made, "MAP@5") == expected


def test_verdicts_follow_the_sign_of_significant_differences(evaluation: Evaluation) -> None:
    made = _compared(evaluation, (0.5, 0.6, 0.4, 0.3), (-0.1, 0.1, 0.2), (0.01, 0.01, 0.9))
    assert find_significances(made, "MAP@5") == ("", "above", "below", "")


def test_every_metric_is_explained(html: str) -> None:
    assert all(explain_metric(name) for name in SUMMARY_NAMES)
    assert "first 5" in explain_metric("mMV@5")
    terms = [name for name, _ in list_glossary(SUMMARY_NAMES)]
    assert len(terms) == len(set(terms))
    assert {"top-1", "mMV@k", "MAP@k", "nDCG@k", "macro ...", "p (Holm)", "risk-coverage"} <= set(terms)
    text = Page(html).text
    assert all(said in text for _, said in list_glossary(SUMMARY_NAMES))


def test_figures_are_short() -> None:
    assert (format_p(0.0004), format_p(0.04), format_p(NAN)) == ("< 0.001", "0.040", DASH)
    assert (format_signed(-0.1234), format_signed(0.5), format_signed(NAN)) == (f"{MINUS}0.123", "+0.500", DASH)
    assert (format_interval(0.123, 0.987), format_interval(NAN, 1.0)) == ("0.12 to 0.99", "")


def _check(told: float, low: float, fall: float, fall_low: float) -> SiteCheck:
    return SiteCheck(
        "scanner",
        MetricEstimate("balanced accuracy", told, low, 0.99, 0.25, 50),
        MetricEstimate("balanced accuracy", 0.4, 0.3, 0.5, 0.25, 50),
        MetricEstimate("mMV@5", 0.8, 0.7, 0.9, 0.3, 40),
        MetricEstimate("mMV@5", 0.8 - fall, 0.5, 0.7, 0.3, 40),
        fall,
        fall_low,
        0.3,
        Control(MetricEstimate("mMV@5", 0.75, 0.6, 0.9, 0.3, 40), fall - 0.05, fall_low - 0.05, 0.25),
    )


def test_the_site_check_is_said_in_plain_words() -> None:
    clear = describe_site_check(_check(0.9, 0.8, 0.2, 0.1))
    assert "balanced accuracy of 0.900 (0.80 to 0.99); chance is 0.250, the label alone gives 0.400" in clear
    assert "mMV@5 falls by 0.200 (0.10 to 0.30), from 0.800 to 0.600" in clear
    assert "part of the accuracy depends on the scanner" in clear
    unclear = describe_site_check(_check(0.5, 0.35, 0.1, -0.1))
    assert "not clear evidence" in unclear
    assert "regardless of scanner gives 0.750. This is not clear evidence" in unclear
    assert "rises by 0.100" in describe_site_check(_check(0.5, 0.35, -0.1, -0.2))
    unknown = describe_site_check(_check(NAN, NAN, NAN, NAN))
    assert "is unknown" in unknown
    assert "cannot be checked" in unknown


def test_worst_queries_have_pictures_where_their_files_are(
    evaluation: Evaluation, indexed: Path, tmp_path: Path
) -> None:
    archive = Archive.open(indexed)
    ids = tuple(archive.store.slides())
    one = WorstQuery(ids[0], "a", ids[1:8], ("b",) * 7, (0.5,) * 7)
    beyond = WorstQuery(ids[9], "a", ids[8:9], ("b",), (0.5,))
    shown = replace(evaluation, worst=(*(one,) * MOST_WORST_QUERIES, beyond))
    pictures = load_worst_pictures(archive, shown)
    assert set(pictures) == set(ids[: MOST_NEAREST + 1])
    page = Page(render_evaluation(shown, pictures))
    images = [attributes for tag, attributes in page.tags if tag == "img"]
    assert len(images) == MOST_WORST_QUERIES * (1 + MOST_NEAREST)
    assert images[0]["src"] == pictures[ids[0]]
    write_evaluation(shown, archive, tmp_path / "new" / "folder")
    assert pictures[ids[1]] in (tmp_path / "new" / "folder" / "evaluation.html").read_text(encoding="utf-8")
    saved = json.loads((tmp_path / "new" / "folder" / "evaluation.json").read_text(encoding="utf-8"))
    assert saved["worst"][0]["slide_id"] == ids[0]


def test_slides_without_a_file_have_a_placeholder(evaluation: Evaluation, tmp_path: Path) -> None:
    archive = labelled_archive(tmp_path, [0, 1], [0, 1])
    worst = (WorstQuery("slide-000", "a", ("slide-001",), ("a",), (0.5,)),)
    assert load_worst_pictures(archive, replace(evaluation, worst=worst)) == {}
    page = Page(render_evaluation(replace(evaluation, worst=worst), {}))
    assert page.text.count("the file is not available") == 2
    assert page.text.count("\N{CHECK MARK}") == 2
    assert load_worst_pictures(archive, replace(evaluation, worst=())) == {}


def test_a_folder_that_can_not_be_made_is_said(evaluation: Evaluation, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    archive = labelled_archive(tmp_path, [0, 1], [0, 1])
    with pytest.raises(InputError, match="Choose another place"):
        write_evaluation(replace(evaluation, worst=()), archive, tmp_path / "file")


def test_a_single_class_is_drawn() -> None:
    made = evaluation_of(("only",), SYSTEMS[:1], 4)
    assert np.isfinite(made.results[0].scores.get_metric("top-1").value)
    assert "only" in Page(render_evaluation(made)).text


def _first(rows: Sequence[Sequence[str]], name: str) -> Sequence[str]:
    return next(row for row in rows if row[0] == name)
