"""What reports say of prompts as an array, and how much each label counts."""

from __future__ import annotations

import math

import numpy as np
import pytest

from histoseek.reports.facts.prompts import SILENT, STATED, UNKNOWN, Prompt, make_targets, read_corpus
from histoseek.training.slides.data.targets import weigh_labels


def test_targets_are_what_each_report_says_of_each_prompt() -> None:
    prompts = [Prompt(one, one, (one,), 1) for one in ("necrosis", "fibrosis", "melanoma", "carcinoma")]
    texts = ["Carcinoma with necrosis.", "Carcinoma. No necrosis. Possible fibrosis.", "Nothing to say."]
    targets = make_targets(prompts, read_corpus(texts, least_concepts=12))
    assert targets.dtype == np.int8
    assert targets.tolist() == [
        [STATED, UNKNOWN, SILENT, STATED],
        [SILENT, UNKNOWN, SILENT, STATED],
        [UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN],
    ]
    complete = make_targets(prompts, read_corpus(texts, least_concepts=0))
    assert complete.tolist() == [
        [STATED, SILENT, SILENT, STATED],
        [SILENT, UNKNOWN, SILENT, STATED],
        [SILENT, SILENT, SILENT, SILENT],
    ]


def test_no_reports_have_targets_of_no_rows() -> None:
    assert make_targets([Prompt("necrosis", "necrosis", ("necrosis",), 1)], []).shape == (0, 1)


def test_labels_of_a_prompt_are_balanced() -> None:
    targets = np.random.default_rng(0).choice([STATED, SILENT, UNKNOWN], (200, 3), p=[0.05, 0.6, 0.35]).astype(np.int8)
    targets = np.column_stack([targets, np.full(200, STATED), np.full(200, UNKNOWN)]).astype(np.int8)
    weights = weigh_labels(targets)
    assert weights.dtype == np.float32
    for place in range(3):
        column = targets[:, place].tolist()
        stated, silent = column.count(STATED), column.count(SILENT)
        root = math.sqrt(stated) + math.sqrt(silent)
        assert weights[STATED, place] == pytest.approx((stated + silent) / (math.sqrt(stated) * root), rel=1e-5)
        assert weights[SILENT, place] == pytest.approx((stated + silent) / (math.sqrt(silent) * root), rel=1e-5)
        total = stated * weights[STATED, place] + silent * weights[SILENT, place]
        assert total == pytest.approx(stated + silent, rel=1e-5), "the mean weight of a known label is 1"
    assert weights[:, 3:].tolist() == [[1, 1], [1, 1]], "there is nothing to balance"
