"""Whole trainings, small ones: they learn, resume, stop, and leave the test part alone."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import logging
import pickle
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from histoseek.encoders.slide.pathsearch.network import PathSearchNetwork
from histoseek.encoders.weights import FeatureSpace, load_card, save_weights
from histoseek.errors import BadFeatureFile, ConfigurationError, EncoderError
from histoseek.progress import SilentReporter
from histoseek.training.loop import hold_interrupts
from histoseek.training.pairs import TrainingPair, load_pair_bag
from histoseek.training.progress import Progress
from histoseek.training.recall_at_k import find_recall
from histoseek.training.slides import train as training
from histoseek.training.slides.card import make_weights
from histoseek.training.slides.data.loader import BagLoader
from histoseek.training.slides.data.sampling import EVALUATION
from histoseek.training.slides.evaluation.evaluator import pair_codes
from histoseek.training.slides.history import EpochRow
from histoseek.training.slides.learning.distributed import World
from histoseek.training.slides.learning.losses import alike_pairs, contrastive_loss
from histoseek.training.slides.result import TrainingResult
from histoseek.training.slides.settings import TrainingSettings
from histoseek.training.slides.task import choose_micro_batch
from histoseek.training.slides.train import prepare_split
from tests.training.helpers import SMALL, InterruptingReporter, slides_of, tiny_tower, train_small, write_pairs
from tests.weights import write_table


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainingPair, ...]:
    return write_pairs(tmp_path_factory.mktemp("pairs"), patients=56)


@pytest.fixture(scope="module")
def undisturbed(
    pairs: tuple[TrainingPair, ...], tmp_path_factory: pytest.TempPathFactory
) -> tuple[TrainingResult, Path]:
    work = tmp_path_factory.mktemp("undisturbed")
    return train_small(pairs, work), work


def _rows(work: Path) -> list[dict[str, str]]:
    with (work / "log.csv").open(encoding="utf-8") as file:
        return [{name: value for name, value in row.items() if name != "seconds"} for row in csv.DictReader(file)]


def _same(one: TrainingResult, other: TrainingResult) -> None:
    assert one.state.keys() == other.state.keys() and one.best_epoch == other.best_epoch
    for name, tensor in one.state.items():
        torch.testing.assert_close(other.state[name], tensor, rtol=0, atol=1e-6, msg=name)


def test_what_needs_no_training_is_judged_on_the_same_patients(
    undisturbed: tuple[TrainingResult, Path],
) -> None:
    """The pooled encoder is the mean of a slide's tiles less that of the train part, computed here from the files."""
    result, _ = undisturbed
    pooled, aligned = result.baselines
    assert (pooled.name, aligned.name) == ("pooled", "pooled and aligned")
    means = {
        part: np.stack([load_pair_bag(pair).features.mean(0) for pair in getattr(result.split, part)])
        for part in ("train", "test")
    }
    vectors = means["test"] - means["train"].mean(0)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    hits, queries = 0, 0
    for i, pair in enumerate(result.split.test):
        others = [j for j, other in enumerate(result.split.test) if other.patient_id != pair.patient_id]
        if any(result.split.test[j].report == pair.report for j in others):
            queries += 1
            nearest = max(others, key=lambda j, i=i: vectors[i] @ vectors[j])  # type: ignore[misc]
            hits += result.split.test[nearest].report == pair.report
    found = next(each for each in pooled.recalls if each.k == 1)
    assert {each.direction for each in pooled.recalls} == {"slide->slide"}
    assert (found.value, found.queries) == (pytest.approx(hits / queries), queries)
    after = {(each.direction, each.answer, each.k): each for each in result.test.after.recalls}
    for each in aligned.recalls:
        twin = after[(each.direction, each.answer, each.k)]
        assert (each.queries, each.queries and each.chance) == (twin.queries, twin.queries and twin.chance)
    assert find_recall(aligned.recalls, "slide->report", "group", 1) > 0.5


def test_given_parts_are_kept_and_belong_to_the_training(pairs: tuple[TrainingPair, ...], tmp_path: Path) -> None:
    def write(name: str, test: int) -> Path:
        part = {i: "test" if i % 4 == test else "validation" if i % 4 == 3 else "train" for i in range(len(pairs))}
        rows: list[dict[str, object]] = [{"slide_id": p.slide_id, "part": part[i]} for i, p in enumerate(pairs)]
        return write_table(tmp_path / name, rows)

    result = train_small(pairs, tmp_path / "work", epochs=1, split=write("a.csv", 0))
    assert result.split.test == tuple(pairs[::4])
    again = train_small(pairs, tmp_path / "work", epochs=1, split=write("moved.csv", 0))
    assert again.split == result.split
    for other in (write("b.csv", 1), None):
        with pytest.raises(ConfigurationError, match="with other settings"):
            train_small(pairs, tmp_path / "work", epochs=1, split=other)


def test_the_card_says_how_it_was_trained_and_leads_back_to_no_patient(
    undisturbed: tuple[TrainingResult, Path], tmp_path: Path
) -> None:
    result, _ = undisturbed
    weights = make_weights(result, "mine", "minilm", FeatureSpace("test"), data="made up", licence="none")
    save_weights(weights, tmp_path / "mine.safetensors")
    card = load_card(tmp_path / "mine.safetensors")
    assert card == weights.card
    facts = card.training
    assert facts is not None
    assert {"epochs": 4, "batch": 12, "tiles": 16, "learning_rate": 2e-3, "split": "drawn with the seed"}.items() <= (
        facts.settings.items()
    )
    for part in ("train", "validation", "test"):
        ids = [(pair.patient_id, pair.slide_id) for pair in getattr(result.split, part)]
        assert facts.parts.find_parts(ids) == [part] * len(ids)
        assert facts.parts.find_parts([(patient, "another slide") for patient, _ in ids]) == [part] * len(ids)
        assert facts.parts.find_parts([("another patient", slide) for _, slide in ids]) == [part] * len(ids)
    assert facts.parts.find_parts([("p999", "s999-0")]) == [None]
    text = (tmp_path / "mine.json").read_text()
    assert not any(pair.patient_id in text or pair.slide_id in text for pair in result.split.train)
    other = make_weights(result, "mine", "minilm", FeatureSpace("test"), data="made up", licence="none")
    assert other.card.training is not None
    assert not set(other.card.training.parts.train) & set(facts.parts.train)
    names = {metric.name for metric in facts.baselines}
    assert "pooled, test slide->slide recall@1 by group" in names
    assert "random network, test text->slide recall@1 by group" in names


def test_training_learns_what_new_patients_show(pairs: tuple[TrainingPair, ...], tmp_path: Path) -> None:
    result = train_small(pairs, tmp_path, epochs=12)
    for part in (result.validation, result.test):
        for direction in ("slide->report", "text->slide"):
            after = find_recall(part.after.recalls, direction, "group", 1)
            recall = next(r for r in part.after.recalls if (r.direction, r.answer, r.k) == (direction, "group", 1))
            assert after >= 0.75 and recall.low > recall.chance
            assert find_recall(part.before.recalls, direction, "group", 1) < after
    assert result.test.after.losses["contrastive"] < result.test.before.losses["contrastive"] / 2


@pytest.mark.parametrize("stops", [(2, 3), (3, 5)])
def test_interrupted_twice_and_resumed_is_as_undisturbed(
    pairs: tuple[TrainingPair, ...], undisturbed: tuple[TrainingResult, Path], tmp_path: Path, stops: tuple[int, int]
) -> None:
    """Epochs have three steps: the stops lie within epochs and at their ends."""
    for stop in stops:
        with pytest.raises(KeyboardInterrupt):
            train_small(pairs, tmp_path, InterruptingReporter(stop))
    result = train_small(pairs, tmp_path)
    _same(undisturbed[0], result)
    assert _rows(tmp_path) == _rows(undisturbed[1])
    for mine, theirs in zip(result.test.after.recalls, undisturbed[0].test.after.recalls, strict=True):
        assert str(mine) == str(theirs)


def _content(path: Path) -> dict[str, Any]:
    """What a checkpoint holds, behind its checksum."""
    content: dict[str, Any] = torch.load(io.BytesIO(path.read_bytes()[32:]), weights_only=True)
    return content


def test_an_interrupt_between_checkpoints_loses_no_step(pairs: tuple[TrainingPair, ...], tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train_small(pairs, tmp_path, InterruptingReporter(2), checkpoint_steps=1000)
    content = _content(tmp_path / "checkpoint.pt")
    assert (content["progress"]["epoch"], content["progress"]["step"]) == (1, 2)


def test_a_finished_training_gives_its_result_again(
    pairs: tuple[TrainingPair, ...], undisturbed: tuple[TrainingResult, Path]
) -> None:
    again = train_small(pairs, undisturbed[1])
    _same(undisturbed[0], again)
    assert again.epochs == SMALL.epochs


def test_micro_batches_and_memory_do_not_change_the_result(pairs: tuple[TrainingPair, ...], tmp_path: Path) -> None:
    whole = train_small(pairs, tmp_path / "whole", epochs=1, dropout=0.0)
    pieces = train_small(pairs, tmp_path / "pieces", epochs=1, dropout=0.0, micro_batch=5, memory_mb=0)
    assert pieces.test.after.losses["contrastive"] == pytest.approx(whole.test.after.losses["contrastive"], abs=1e-4)
    assert pieces.notes == whole.notes == ()


def test_the_slide_network_loads_strictly_and_gives_the_scored_vectors(
    pairs: tuple[TrainingPair, ...], undisturbed: tuple[TrainingResult, Path]
) -> None:
    result = undisturbed[0]
    network = PathSearchNetwork(result.architecture).eval()
    network.load_state_dict(
        {name.removeprefix("visual."): t for name, t in result.state.items() if name.startswith("visual.")}
    )
    tower = tiny_tower()
    tower.load_state_dict(
        {**tower.state_dict(), **{n.removeprefix("text_model."): t for n, t in result.state.items() if "text_m" in n}}
    )
    test = result.split.test
    with BagLoader(SMALL.tiles, SMALL.seed, 0, 1) as loader, torch.no_grad():
        slides = network(loader.batch(test, EVALUATION)).global_vectors
        words = tower(tower.tokens([pair.report for pair in test]))
    weight, bias = result.state["text_projection.weight"], result.state["text_projection.bias"]
    texts = torch.nn.functional.normalize(words @ weight.T + bias, dim=-1)
    loss = contrastive_loss(slides, texts, result.state["logit_scale"], alike_pairs(*pair_codes(test)))
    assert float(loss) == pytest.approx(result.test.after.losses["contrastive"], abs=1e-4)


def test_log_and_plot_tell_the_course(undisturbed: tuple[TrainingResult, Path]) -> None:
    result, work = undisturbed
    rows = _rows(work)
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4"] and rows[-1]["step"] == "12"
    assert float(rows[-1]["train_contrastive"]) < float(rows[0]["train_contrastive"])
    best = max(rows, key=lambda r: _recall(r) - 1e-3 * float(r["validation_contrastive"]))
    assert int(best["epoch"]) == result.best_epoch
    with Image.open(work / "log.png") as picture:
        assert picture.width > 600 and len(picture.convert("RGB").getcolors(10**6) or []) > 10


def _recall(row: dict[str, str]) -> float:
    return (float(row["slide_to_report_r5"]) + float(row["text_to_slide_r5"])) / 2


def test_the_test_part_decides_nothing(
    pairs: tuple[TrainingPair, ...], undisturbed: tuple[TrainingResult, Path], tmp_path: Path
) -> None:
    test = {pair.slide_id for pair in undisturbed[0].split.test}
    changed = [replace(pair, report="another text") if pair.slide_id in test else pair for pair in pairs]
    result = train_small(changed, tmp_path)
    _same(undisturbed[0], result)
    assert _rows(tmp_path) == _rows(undisturbed[1])
    assert result.test.after.losses["contrastive"] != undisturbed[0].test.after.losses["contrastive"]


def test_it_stops_when_validation_no_longer_gains_and_keeps_the_best(
    pairs: tuple[TrainingPair, ...], tmp_path: Path
) -> None:
    result = train_small(pairs, tmp_path, epochs=50, learning_rate=0.3, patience=2)
    rows = _rows(tmp_path)
    assert len(rows) == result.epochs == result.best_epoch + 2 < 50
    assert "stopped early" in result.notes[-1]
    assert result.validation.after.losses["contrastive"] == pytest.approx(
        float(rows[result.best_epoch - 1]["validation_contrastive"]), rel=1e-4
    )


def _row(recall: float, loss: float) -> EpochRow:
    return EpochRow(1, 1, 0.0, 0.0, {}, {"contrastive": loss}, 0.0, 0.0, 0.0, recall, 0.0, recall, 0.0)


def test_the_best_epoch_is_by_recall_then_by_loss() -> None:
    progress = Progress(micro_batch=1)
    assert progress.better(_row(0.0, 9.0))
    progress.close_epoch(_row(0.5, 2.0))
    progress.best_epoch = 1
    assert progress.better(_row(0.6, 3.0)) and progress.better(_row(0.5, 1.0))
    assert not progress.better(_row(0.5, 2.0)) and not progress.better(_row(0.4, 0.1))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda pairs: {"settings": replace(SMALL, learning_rate=1e-3)}, "other settings"),
        (lambda pairs: {"settings": replace(SMALL, dimension=16)}, "other settings"),
        (lambda pairs: {"pairs": [*pairs[:-1], replace(pairs[-1], report="new")]}, "other pairs"),
    ],
)
def test_checkpoints_of_another_training_are_refused(
    pairs: tuple[TrainingPair, ...],
    undisturbed: tuple[TrainingResult, Path],
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[tuple[TrainingPair, ...]], dict[str, object]],
    reason: str,
) -> None:
    monkeypatch.setattr("histoseek.encoders.text.registry.load_tower", lambda spec: tiny_tower())
    given = {"pairs": pairs, "settings": SMALL, **change(pairs)}
    with pytest.raises(ConfigurationError, match=f"checkpoint there was made with {reason}"):
        training.train(slides_of(given["pairs"]), "tiny", given["settings"], undisturbed[1], SilentReporter())  # type: ignore[arg-type]


class _Malicious:
    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return (exec, ("raise SystemExit('code in a checkpoint ran')",))


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", pickle.dumps(_Malicious(), 2), b"PK\x03\x04 cut"])
def test_damaged_or_hostile_checkpoints_are_refused(
    pairs: tuple[TrainingPair, ...], tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "checkpoint.pt").write_bytes(content)
    with pytest.raises(EncoderError, match="not a readable checkpoint"):
        train_small(pairs, tmp_path)


def test_a_checkpoint_with_a_flipped_bit_or_without_a_part_is_refused(
    pairs: tuple[TrainingPair, ...], undisturbed: tuple[TrainingResult, Path], tmp_path: Path
) -> None:
    whole = bytearray((undisturbed[1] / "checkpoint.pt").read_bytes())
    whole[len(whole) // 2] ^= 0x80
    (tmp_path / "checkpoint.pt").write_bytes(whole)
    with pytest.raises(EncoderError, match="not a readable checkpoint"):
        train_small(pairs, tmp_path)
    for part in ("model", "optimizer", "progress"):
        content = _content(undisturbed[1] / "checkpoint.pt")
        del content[part]
        buffer = io.BytesIO()
        torch.save(content, buffer)
        (tmp_path / "checkpoint.pt").write_bytes(hashlib.sha256(buffer.getvalue()).digest() + buffer.getvalue())
        with pytest.raises(EncoderError, match="not a readable checkpoint"):
            train_small(pairs, tmp_path)


def test_a_checkpoint_of_another_version_is_refused_with_what_to_do(
    pairs: tuple[TrainingPair, ...], undisturbed: tuple[TrainingResult, Path], tmp_path: Path
) -> None:
    old = {**_content(undisturbed[1] / "checkpoint.pt"), "format": 3, "progress": {"micro_batch": 12}}
    buffer = io.BytesIO()
    torch.save(old, buffer)
    (tmp_path / "checkpoint.pt").write_bytes(hashlib.sha256(buffer.getvalue()).digest() + buffer.getvalue())
    with pytest.raises(ConfigurationError, match="format 3, this histoseek reads 4") as caught:
        train_small(pairs, tmp_path)
    assert "Finish that training" in str(caught.value) and "\n" not in str(caught.value)


def test_a_truncated_checkpoint_is_refused(
    pairs: tuple[TrainingPair, ...], undisturbed: tuple[TrainingResult, Path], tmp_path: Path
) -> None:
    whole = (undisturbed[1] / "checkpoint.pt").read_bytes()
    (tmp_path / "checkpoint.pt").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(EncoderError, match="not a readable checkpoint"):
        train_small(pairs, tmp_path)


def test_an_unreadable_bag_stops_the_training_by_name(pairs: tuple[TrainingPair, ...], tmp_path: Path) -> None:
    broken = tmp_path / "s000-0.h5"
    broken.write_bytes(b"nothing")
    with pytest.raises(BadFeatureFile, match=r"s000-0\.h5"):
        train_small([replace(pairs[0], bag=broken), *pairs[1:]], tmp_path / "work")


def test_memory_running_out_is_in_the_notes(
    pairs: tuple[TrainingPair, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forward = PathSearchNetwork.forward

    def short(network: PathSearchNetwork, bags: object) -> object:
        if len(bags.features) > 8:  # type: ignore[attr-defined]
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(network, bags)

    monkeypatch.setattr(PathSearchNetwork, "forward", short)
    result = train_small(pairs, tmp_path, epochs=1)
    assert result.notes == ("memory ran out in step 1: from there on, micro-batches of 6",)


def test_the_first_micro_batch_is_safe_on_a_cpu_and_the_share_on_a_gpu() -> None:
    paper = TrainingSettings()
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    assert 16 <= choose_micro_batch(paper, World(0, 1, cpu)) <= 128
    assert choose_micro_batch(replace(paper, tiles=10_000_000), World(0, 1, cpu)) == 1
    assert choose_micro_batch(paper, World(0, 1, gpu)) == 256 and choose_micro_batch(paper, World(1, 3, gpu)) == 86
    assert choose_micro_batch(replace(paper, micro_batch=10), World(0, 1, cpu)) == 10
    assert choose_micro_batch(replace(paper, micro_batch=999), World(0, 2, gpu)) == 128


def test_a_work_folder_that_cannot_be_written_is_an_error(pairs: tuple[TrainingPair, ...], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("here")
    with pytest.raises(ConfigurationError, match="cannot be written"):
        train_small(pairs, tmp_path / "file")


def test_interrupts_wait_for_the_end_of_what_must_not_be_cut() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), hold_interrupts():
        signal.raise_signal(signal.SIGINT)
        done.append("whole")
    assert done == ["whole"] and signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_long_reports_are_counted_and_noted(pairs: tuple[TrainingPair, ...], tmp_path: Path) -> None:
    longer = [replace(pairs[0], report=pairs[0].report + " with many more words than it can read"), *pairs[1:]]
    result = train_small(longer, tmp_path, epochs=1)
    assert result.truncated_reports == 1 and "1 reports are longer" in result.notes[0]


def test_files_and_logs_hold_no_report_path_or_patient(
    pairs: tuple[TrainingPair, ...], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "histoseek"):
        train_small(pairs, tmp_path, epochs=1)
    content = _content(tmp_path / "checkpoint.pt")
    texts = caplog.text + (tmp_path / "log.csv").read_text() + json.dumps(content["progress"], default=str)
    texts += json.dumps(content["identity"])
    for secret in ("carcinoma", "p001", str(tmp_path), str(pairs[0].bag)):
        assert secret not in texts


def test_the_whole_way_in_uses_the_registered_text_encoder(
    pairs: tuple[TrainingPair, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr("histoseek.encoders.text.registry.load_tower", lambda spec: asked.append(spec) or tiny_tower())
    settings: TrainingSettings = replace(SMALL, epochs=1)
    result = training.train(slides_of(pairs), "tiny", settings, tmp_path / "new" / "work", SilentReporter())
    assert asked == ["tiny"] and result.text_encoder == "tiny" and training.is_first_process()
    assert result.split == prepare_split(pairs, settings) and result.architecture.input_dimension == 24
