"""Losses and the learning rate against plain loops."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from histoseek.training.loop import learning_rate
from histoseek.training.slides.learning.losses import alike_pairs, contrastive_loss, mosaic_similarity


def _unit(rows: Tensor) -> Tensor:
    return rows / rows.norm(dim=-1, keepdim=True)


def naive_contrastive(slides: Tensor, texts: Tensor, scale: float, cases: list[int], reports: list[int]) -> float:
    slides, texts = slides.detach(), texts.detach()
    total = 0.0
    for queries, answers in ((slides, texts), (texts, slides)):
        for i in range(len(queries)):
            weights = [
                math.exp(scale * float(queries[i] @ answers[j]))
                for j in range(len(answers))
                if i == j or (cases[i] != cases[j] and reports[i] != reports[j])
            ]
            total -= math.log(math.exp(scale * float(queries[i] @ answers[i])) / sum(weights))
    return total / (2 * len(slides))


@settings(max_examples=40)
@given(st.integers(2, 9), st.integers(1, 6), st.integers(0, 1000))
def test_contrastive_loss_leaves_out_what_is_alike(count: int, kinds: int, seed: int) -> None:
    rng = torch.Generator().manual_seed(seed)
    slides, texts = (_unit(torch.randn(count, 5, generator=rng, dtype=torch.float64)) for _ in range(2))
    cases, reports = (torch.randint(0, kinds, (count,), generator=rng) for _ in range(2))
    loss = contrastive_loss(slides, texts, torch.tensor(math.log(3.0)), alike_pairs(cases, reports))
    assert float(loss) == pytest.approx(
        naive_contrastive(slides, texts, 3.0, cases.tolist(), reports.tolist()), abs=1e-5
    )


def test_slides_of_one_case_do_not_push_each_other_away() -> None:
    slides = _unit(torch.randn(3, 4)).requires_grad_()
    texts = _unit(torch.randn(3, 4))
    together = alike_pairs(torch.tensor([0, 0, 0]), torch.tensor([0, 1, 2]))
    loss = contrastive_loss(slides, texts, torch.tensor(1.0), together)
    loss.backward()
    assert loss.item() == 0 and not slides.grad.any()


@settings(max_examples=30)
@given(st.integers(1, 4), st.integers(1, 6), st.integers(0, 1000))
def test_mosaic_similarity_is_the_mean_of_all_other_cosines(count: int, size: int, seed: int) -> None:
    mosaics = _unit(torch.randn(count, size, 5, generator=torch.Generator().manual_seed(seed)))
    naive = [[float(m[i] @ m[j]) for i in range(size) for j in range(size) if i != j] or [0.0] for m in mosaics]
    expected = [sum(cosines) / len(cosines) for cosines in naive]
    assert mosaic_similarity(mosaics).tolist() == pytest.approx(expected, abs=1e-5)


def test_the_learning_rate_rises_in_a_line_and_falls_by_a_cosine() -> None:
    rates = [learning_rate(step, 100, 0.1, 2.0) for step in range(100)]
    assert rates[:10] == pytest.approx([0.2 * (step + 1) for step in range(10)])
    assert rates[10] == pytest.approx(2.0) and rates[55] == pytest.approx(1.0)
    assert 0 < rates[99] < 0.01 and all(a > b for a, b in itertools.pairwise(rates[10:]))
    assert learning_rate(0, 1, 0.0, 2.0) == 2.0
