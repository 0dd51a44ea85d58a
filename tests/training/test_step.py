"""One step: its gradient is that of the whole batch, however the batch is cut."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from histoseek.errors import ConfigurationError, EncoderError
from histoseek.training.compute import Compute, out_of_memory
from histoseek.training.pairs import TrainingPair
from histoseek.training.slides.data.loader import BagLoader
from histoseek.training.slides.data.targets import ReportTargets
from histoseek.training.slides.evaluation.evaluator import pair_codes
from histoseek.training.slides.learning.distributed import World
from histoseek.training.slides.learning.learner import Learner
from histoseek.training.slides.learning.model import SlideTextModel
from histoseek.training.slides.learning.step import Batch, LearningStep
from histoseek.training.slides.objectives.pathsearch import MosaicDiversity
from tests.training.helpers import SMALL, tiny_tower, write_pairs
from tests.training.test_losses import naive_contrastive

CPU = torch.device("cpu")


def _model(dropout: float = 0.0) -> SlideTextModel:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return SlideTextModel(SMALL.architecture(24), tiny_tower(), 1, dropout)


def _batch(pairs: Sequence[TrainingPair]) -> Batch:
    with BagLoader(16, 0, 0, 1) as loader:
        bags = loader.batch(pairs, 1)
    return Batch(bags, tuple(pair.report for pair in pairs), ReportTargets().find(pairs), *pair_codes(pairs))


def _step(model: SlideTextModel, micro_batch: int) -> LearningStep:
    return LearningStep(
        Learner(model, MosaicDiversity(0.5), 1.0), World(0, 1, CPU), Compute(CPU, False), 0, micro_batch
    )


def _gradients(model: SlideTextModel) -> dict[str, Tensor]:
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory) -> Batch:
    folder = tmp_path_factory.mktemp("step")
    return _batch(write_pairs(folder, patients=5, slides=2) + write_pairs(folder, patients=2, tiles=7, prefix="t"))


def test_loss_and_gradient_are_those_of_one_plain_pass(batch: Batch) -> None:
    model = _model()
    losses = _step(model, 12).gradients(batch, 0)
    found = _gradients(model)
    model.zero_grad()
    model.eval()
    vectors = model.slides(batch.bags)
    texts = model.texts(model.text_model.tokens(list(batch.reports)))
    scale = model.logit_scale.exp()
    plain = naive_contrastive(vectors.global_vectors, texts, scale.item(), batch.cases.tolist(), batch.texts.tolist())
    assert losses[0] == pytest.approx(plain, abs=1e-5)
    rows = []
    for i in range(12):
        alike = (batch.cases == batch.cases[i]) | (batch.texts == batch.texts[i])
        keep = ~alike | (torch.arange(12) == i)
        for own, other in ((vectors.global_vectors, texts), (texts, vectors.global_vectors)):
            logits = scale * other[keep] @ own[i]
            rows.append(logits.logsumexp(0) - scale * other[i] @ own[i])
    cosines = vectors.mosaics @ vectors.mosaics.transpose(1, 2)
    diversity = (cosines.sum((1, 2)) - 4) / 12
    (torch.stack(rows).mean() + 0.5 * diversity.mean()).backward()
    assert losses[1] == pytest.approx(diversity.mean().item(), abs=1e-5)
    expected = _gradients(model)
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-3, atol=1e-6, msg=name)


@pytest.mark.parametrize("micro_batch", [1, 5, 11])
def test_micro_batches_change_nothing(batch: Batch, micro_batch: int) -> None:
    whole, pieces = _model(), _model()
    one, other = _step(whole, 12), _step(pieces, micro_batch)
    assert one.gradients(batch, 0) == pytest.approx(other.gradients(batch, 0), abs=1e-5)
    for name, gradient in _gradients(whole).items():
        torch.testing.assert_close(_gradients(pieces)[name], gradient, rtol=1e-3, atol=1e-6, msg=name)
    one.update_statistics()
    other.update_statistics()
    for name, buffer in whole.visual.named_buffers():
        torch.testing.assert_close(dict(pieces.visual.named_buffers())[name], buffer, msg=name)


def test_both_passes_drop_the_same(batch: Batch) -> None:
    """The directional derivative of the loss as it was drawn, by differences, is what the gradient says."""
    model = _model(dropout=0.4)
    step = _step(model, 5)
    step.gradients(batch, 3)
    gradients = _gradients(model)
    norm = torch.sqrt(sum(g.square().sum() for g in gradients.values()))

    def loss_at(distance: float) -> float:
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if name in gradients:
                    parameter.add_(distance * gradients[name] / norm)
        contrastive, diversity = step.gradients(batch, 3)
        return contrastive + 0.5 * diversity

    ahead, back = loss_at(1e-2), loss_at(-2e-2)
    assert (ahead - back) / 2e-2 == pytest.approx(float(norm), rel=0.05)
    contrastive, diversity = step.gradients(batch, 4)
    assert contrastive + 0.5 * diversity != pytest.approx(back, abs=1e-6)


def test_running_statistics_are_those_of_all_tiles_of_the_batch(batch: Batch) -> None:
    model = _model()
    seen: list[Tensor] = []
    norm = model.visual.abmil.dim_reduction.norm_act[1]
    norm.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach()))
    step = _step(model, 12)
    step.gradients(batch, 0)
    step.update_statistics()
    rows = torch.cat(seen)
    assert len(rows) == int(batch.bags.mask.sum())
    torch.testing.assert_close(norm.running_mean, rows.mean(0), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(norm.running_var, rows.var(0), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes"),
    ],
)
def test_a_full_memory_halves_the_micro_batch(
    batch: Batch, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: RuntimeError
) -> None:
    model, plain = _model(), _model()
    forward = model.visual.forward

    def short(bags: object) -> object:
        if len(bags.features) > 4:  # type: ignore[attr-defined]
            raise error
        return forward(bags)

    monkeypatch.setattr(model.visual, "forward", short)
    step = _step(model, 12)
    losses = step.gradients(batch, 0)
    assert step.micro_batch == 3
    assert "micro-batches of 3" in caplog.text
    assert losses == pytest.approx(_step(plain, 12).gradients(batch, 0), abs=1e-5)
    for name, gradient in _gradients(plain).items():
        torch.testing.assert_close(_gradients(model)[name], gradient, rtol=1e-3, atol=1e-6, msg=name)


def test_no_memory_for_a_single_slide_is_an_error_with_advice(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    model = _model()

    def never(bags: object) -> object:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(model.visual, "forward", never)
    with pytest.raises(ConfigurationError, match="Lower the tiles"):
        _step(model, 12).gradients(batch, 0)


def test_other_errors_pass_through(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not out_of_memory(RuntimeError("shapes cannot be multiplied"))
    model = _model()

    def broken(bags: object) -> object:
        raise RuntimeError("shapes cannot be multiplied")

    monkeypatch.setattr(model.visual, "forward", broken)
    with pytest.raises(RuntimeError, match="shapes"):
        _step(model, 12).gradients(batch, 0)


def test_a_loss_that_is_not_finite_stops_the_training(batch: Batch) -> None:
    model = _model()
    with torch.no_grad():
        model.text_projection.weight[0, 0] = torch.nan
    with pytest.raises(EncoderError, match="no longer finite"):
        _step(model, 12).gradients(batch, 0)


def test_only_the_last_text_layers_are_trained() -> None:
    model = _model()
    trained = {name for name, p in model.named_parameters() if p.requires_grad and name.startswith("text_model")}
    assert trained == {"text_model.transformer.layers.1.weight", "text_model.transformer.layers.1.bias"}
    names = set(model.collect_trained_state())
    assert {name for name in names if name.startswith("text_model")} == trained
    assert {f"visual.{name}" for name in model.visual.state_dict()} <= names
    assert {"logit_scale", "text_projection.weight", "text_projection.bias"} <= names
    assert not model.train().text_model.training and model.visual.training
