"""Adapting a tile encoder: a real loop on lite0's last block, what its parts share, and what is refused."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

torch = pytest.importorskip("torch")
pytest.importorskip("efficientnet_lite_pytorch")

from histoseek.api import Archive  # noqa: E402
from histoseek.cli.app import app  # noqa: E402
from histoseek.encoders.cards.card import Argument  # noqa: E402
from histoseek.encoders.inventory.adapted_folders import list_adapted, note_adapted  # noqa: E402
from histoseek.encoders.inventory.listing import list_encoders  # noqa: E402
from histoseek.encoders.recipe import Recipe  # noqa: E402
from histoseek.encoders.tile import registry  # noqa: E402
from histoseek.encoders.tile.adapted import CARD_FILE, WEIGHTS_FILE  # noqa: E402
from histoseek.encoders.tile.lite0 import load_module, packaged_weights  # noqa: E402
from histoseek.encoders.tile.networks.base import shapes_of  # noqa: E402
from histoseek.encoders.tile.registry import find_tile_card, load_tile_encoder, load_word_tower  # noqa: E402
from histoseek.errors import ConfigurationError, EncoderError, InputError, MissingExtra  # noqa: E402
from histoseek.evaluation.cohort import load_cohort  # noqa: E402
from histoseek.evaluation.held_out import find_seen_slides  # noqa: E402
from histoseek.evaluation.per_query import NAMES, compute_values  # noqa: E402
from histoseek.evaluation.settings import EvaluationSpec  # noqa: E402
from histoseek.progress import Reporter, SilentReporter  # noqa: E402
from histoseek.settings import get_settings  # noqa: E402
from histoseek.training.split import Shares  # noqa: E402
from histoseek.training.tiles import network as networks  # noqa: E402
from histoseek.training.tiles.activations import Activations, compute_activations  # noqa: E402
from histoseek.training.tiles.adapt import TileAdaptation, train_blocks  # noqa: E402
from histoseek.training.tiles.cases import (  # noqa: E402
    LabelledSlide,
    LabelledSlides,
    load_labelled_slides,
    split_slides,
)
from histoseek.training.tiles.folder import adapt_to_folder, save_tile_adaptation  # noqa: E402
from histoseek.training.tiles.network import SplitNetwork, load_split_network  # noqa: E402
from histoseek.training.tiles.retrieval import compare_precisions, measure_precision  # noqa: E402
from histoseek.training.tiles.settings import TileAdaptSettings  # noqa: E402
from histoseek.training.tiles.task import TileTask, contrast_labels, draw_balanced  # noqa: E402
from tests.encoders.small_models import draw_tensors, draw_tiles, find_kind, find_model, publish, shrink  # noqa: E402
from tests.evaluation.archives import labelled_archive  # noqa: E402
from tests.evaluation.rankings import ranking  # noqa: E402
from tests.weights import write_table  # noqa: E402

SETTINGS = TileAdaptSettings(
    epochs=2, batch=12, learning_rate=1e-3, tiles=2, views=2, patience=3, seed=2, device="cpu", checkpoint_steps=2
)
PATIENTS = 7
"""Of each of two labels."""


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of 224 px with small or large dark dots, a patient each, two sites, and their table."""
    folder = tmp_path_factory.mktemp("pictures")
    rng, rows = np.random.default_rng(0), []
    for number in range(2 * PATIENTS):
        label = number % 2
        picture = np.full((224, 224, 3), (200, 150, 220), np.uint8)
        for x, y in rng.integers(0, 224, (70, 2)):
            cv2.circle(picture, (int(x), int(y)), 4 + 3 * label, (120, 40, 90), -1)
        noise = rng.integers(-12, 13, picture.shape)
        cv2.imwrite(str(folder / f"p{number:02d}.png"), (picture + noise).clip(0, 255).astype(np.uint8))
        rows.append(
            {
                "slide_id": f"p{number:02d}",
                "patient_id": f"patient-{number}",
                "diagnosis": ("small", "large")[label],
                "site": f"site {number // 2 % 2}",
                "one": "same",
                "few": "a" if number < 3 else "b" if number < 6 else "",
            }
        )
    write_table(folder / "slides.csv", rows)
    return folder


@pytest.fixture(scope="module")
def archive(pictures: Path) -> Archive:
    """Not to be changed."""
    made = Archive.create(pictures / "archive", Recipe(tile_budget=None), text_encoder="none")
    spacings = {f"p{number:02d}.png": 0.5 for number in range(2 * PATIENTS)}
    report = made.index([pictures], pictures / "slides.csv", spacing_of=spacings, trust=True)
    assert (report.added, report.refused) == (2 * PATIENTS, ())
    return made


@pytest.fixture(scope="module")
def network() -> SplitNetwork:
    """lite0 with its last block to train. Not to be trained: `adapted` loads its own."""
    return load_split_network("lite0", 1)


def made_slides(labels: int = 3, patients: int = 6, slides: int = 1) -> LabelledSlides:
    """Slides without files."""
    return LabelledSlides(
        tuple(
            LabelledSlide(f"{label}-{patient}-{number}", "", Path(), None, f"l{label}", f"{label}-{patient}")
            for label in range(labels)
            for patient in range(patients)
            for number in range(slides)
        ),
        "diagnosis",
    )


def made_activations(slides: LabelledSlides, views: int = 2) -> Activations:
    """Two tiles a slide, which lie a little towards their label's direction and more towards their patient's."""
    rng = np.random.default_rng(1)
    ways = rng.standard_normal((len(slides.classes), 192, 1, 1))
    own = rng.standard_normal((slides.patients.max() + 1, 192, 1, 1))
    slide_of = np.repeat(np.arange(len(slides)), 2)
    values = rng.standard_normal((len(slide_of), views, 192, 7, 7))
    values += 0.5 * ways[slides.labels[slide_of]][:, None] + 0.8 * own[slides.patients[slide_of]][:, None]
    return Activations(values.astype(np.float16), slide_of)


SLIDES = made_slides()
PARTS = split_slides(SLIDES, Shares(0.5, 0.25, 0.25), 0)


def adapted(work: Path, reporter: Reporter | None = None, **changes: object) -> TileAdaptation:
    settings = replace(SETTINGS, **changes)  # type: ignore[arg-type]
    activations = made_activations(SLIDES)
    fresh = load_split_network("lite0", 1)
    return train_blocks(fresh, activations, SLIDES, PARTS, settings, work, reporter or SilentReporter())


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> TileAdaptation:
    return adapted(tmp_path_factory.mktemp("whole"))


class Interrupting(SilentReporter):
    """Interrupts at a step, or at a slide of a part."""

    def __init__(self, after: int) -> None:
        self._left = after

    def advance(self, items: int = 1) -> None:
        self._left -= items
        if self._left < 0:
            raise KeyboardInterrupt

    @contextmanager
    def part(self, title: str, total: int) -> Iterator[Reporter]:
        yield self


def test_learns_the_labels_of_patients_it_has_not_seen(whole: TileAdaptation) -> None:
    assert whole.best_epoch > 0
    assert whole.epochs[whole.best_epoch].validation_map > whole.epochs[0].validation_map
    assert whole.gain.queries == len(PARTS.test)
    assert whole.gain.after > whole.gain.before
    assert whole.gain.difference == pytest.approx(whole.gain.after - whole.gain.before)
    assert whole.across is None
    assert any("test patients: the figures are rough" in note for note in whole.notes)


def test_only_the_last_block_and_the_head_are_changed(whole: TileAdaptation) -> None:
    before = load_module(packaged_weights()).network.state_dict()
    changed = {name for name, value in whole.tensors.items() if not torch.equal(value, before[name])}
    assert {name for name in before if name.startswith("_blocks.15.") and name.endswith("conv.weight")} <= changed
    assert all(name.startswith(("_blocks.15.", "_conv_head", "_bn1")) for name in changed)
    assert not any("running" in name for name in changed)


def test_interrupted_and_continued_equals_uninterrupted(whole: TileAdaptation, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        adapted(tmp_path, Interrupting(5))
    again = adapted(tmp_path)
    assert (again.gain, again.blend, again.best_epoch) == (whole.gain, whole.blend, whole.best_epoch)
    assert all(torch.equal(value, whole.tensors[name]) for name, value in again.tensors.items())
    with pytest.raises(ConfigurationError, match="other settings"):
        adapted(tmp_path, temperature=0.2)


def test_no_tile_of_held_out_patients_is_trained_on(network: SplitNetwork) -> None:
    from histoseek.training.compute import choose_compute

    task = TileTask(network, made_activations(SLIDES), SLIDES, PARTS, SETTINGS, choose_compute("cpu"))
    seen = {int(tile) // 2 for epoch in (1, 2) for batch in task.batches(epoch, 0) for tile in batch.tiles}
    assert seen <= set(PARTS.train)
    owners = [{SLIDES.slides[place].patient for place in part} for part in (PARTS.train, PARTS.validation, PARTS.test)]
    assert not (owners[0] & owners[1] or owners[0] & owners[2] or owners[1] & owners[2])
    assert all(
        {SLIDES.slides[place].label for place in part} == {"l0", "l1", "l2"} for part in (PARTS.train, PARTS.test)
    )


def test_batches_are_balanced_over_labels_and_patients() -> None:
    by_label = [[np.arange(40), np.array([40]), np.array([41])], [np.array([50]), np.array([51])]]
    drawn = draw_balanced(by_label, 12, np.random.default_rng(0))
    assert len(drawn) == 12
    assert (drawn < 50).sum() == 6
    assert [(drawn == tile).sum() for tile in (40, 41, 50, 51)] == [2, 2, 3, 3]
    many = [[np.array([label]), np.array([100 + label])] for label in range(50)]
    assert len({int(tile) % 100 for tile in draw_balanced(many, 16, np.random.default_rng(0))}) == 4


def test_loss_is_the_published_one_among_other_patients() -> None:
    rng = np.random.default_rng(3)
    features = rng.standard_normal((6, 5))
    labels, patients = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 2, 3, 4])
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    terms = []
    for i in range(6):
        others = [j for j in range(6) if patients[j] != patients[i]]
        alike = [j for j in others if labels[j] == labels[i]]
        total = sum(np.exp(unit[i] @ unit[j] / 0.5) for j in others)
        if alike:
            terms.append(-np.mean([np.log(np.exp(unit[i] @ unit[j] / 0.5) / total) for j in alike]))
    given = (torch.tensor(features), torch.tensor(labels), torch.tensor(patients))
    assert float(contrast_labels(*given, 0.5)) == pytest.approx(np.mean(terms))
    assert float(contrast_labels(given[0], torch.arange(6), given[2], 0.5)) == 0.0


def test_precision_is_that_of_evaluations() -> None:
    rng = np.random.default_rng(4)
    vectors = rng.standard_normal((30, 8)).astype(np.float32)
    labels, patients = rng.integers(0, 3, 30), rng.integers(0, 12, 30)
    found = measure_precision(vectors, labels, patients, range(30), range(30))
    centred = vectors - vectors.mean(0)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    neighbours = ranking(-(centred @ centred.T).astype(np.float64), labels, patients)
    assert found == pytest.approx(compute_values(neighbours, labels)[:, NAMES.index("MAP@5")], nan_ok=True)
    sites = rng.integers(-1, 2, 30)
    across = measure_precision(vectors, labels, patients, range(30), range(30), sites)
    assert np.isnan(across[sites < 0]).all()
    assert not np.allclose(across[sites >= 0], found[sites >= 0], equal_nan=True)


def test_gain_needs_evidence() -> None:
    owners, before = np.arange(20), np.full(20, 0.5)
    assert compare_precisions(before, np.full(20, 0.7), owners, 0).helps
    assert not compare_precisions(before, before - 0.1, owners, 0).helps
    assert not compare_precisions(before[:3], before[:3] + 0.2, owners[:3], 0).helps
    assert compare_precisions(before[:0], before[:0], owners[:0], 0).queries == 0


def test_trunk_and_tail_are_the_whole_network(network: SplitNetwork) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3), dtype=np.uint8)
    features = tail_of(network, network.compute_trunk(pixels))
    expected = load_tile_encoder("lite0").encode(pixels)
    assert np.abs(features - expected).max() < 2e-3 * np.abs(expected).max()


def test_plain_transformers_are_cut_likewise(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if find_spec("timm") is None:
        pytest.skip("timm is not installed")
    monkeypatch.setenv("HISTOSEEK_RUNTIME", "torch")
    get_settings.cache_clear()
    sizes: dict[str, Argument] = {"img_size": 56, "patch_size": 14, "embed_dim": 32, "depth": 3, "num_heads": 2}
    model = shrink(find_model("uni"), sizes, 56, 32)
    publish(monkeypatch, model)
    built = find_kind(registry.make_tile_card(model, model.variants[0])).build(
        registry.make_tile_card(model, model.variants[0])
    )
    torch.save(draw_tensors(shapes_of(built.network.state_dict())), tmp_path / "pytorch_model.bin")
    spec = f"uni@{tmp_path / 'pytorch_model.bin'}"
    split = load_split_network(spec, 1)
    assert {name.partition(".")[0] for name in split.trained} == {"blocks", "norm"}
    assert {name.split(".")[1] for name in split.trained if name.startswith("blocks")} == {"2"}
    pixels = draw_tiles(56)
    expected = load_tile_encoder(spec).encode(pixels)
    assert np.abs(tail_of(split, split.compute_trunk(pixels)) - expected).max() < 1e-2


def test_resnets_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(networks, "load_tile_network", lambda spec: (spec, torch.nn.Linear(1, 1), ""))
    monkeypatch.setattr(networks, "_is_lite0", lambda card: False)
    with pytest.raises(EncoderError, match="nor a plain vision transformer"):
        load_split_network("resnet", 1)


def tail_of(network: SplitNetwork, activations: NDArray[np.float16]) -> NDArray[np.float32]:
    with torch.inference_mode():
        found: NDArray[np.float32] = network.compute_tail(torch.from_numpy(activations.astype(np.float32))).numpy()
    return found


def test_tiles_are_read_again_and_kept(archive: Archive, network: SplitNetwork, tmp_path: Path) -> None:
    slides = load_labelled_slides(archive, "diagnosis").slides[:4]
    with pytest.raises(KeyboardInterrupt):
        compute_activations(network, slides, 2, 2, 0, tmp_path, Interrupting(2))
    found = compute_activations(network, slides, 2, 2, 0, tmp_path, SilentReporter())
    assert found.values.shape == (4, 2, 192, 7, 7)
    bag = slides[0].bag.load()
    again = tail_of(network, found.values[:1, 0])
    assert np.abs(again - bag.features[:1]).max() < 1e-2 * np.abs(bag.features).max()
    assert np.abs(found.values[:, 0] - found.values[:, 1]).max() > 0.1
    kept = compute_activations(network, slides, 2, 2, 0, tmp_path, Interrupting(4))
    assert np.array_equal(kept.values, found.values)


def test_command_adapts_and_says_where_it_was_measured(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HISTOSEEK_ENCODERS_DIR", str(tmp_path / "encoders"))
    get_settings.cache_clear()
    out = tmp_path / "my-tiles"
    arguments = ["adapt-tiles", "--archive", str(archive.path), "--out", str(out), "--site", "site", "--json"]
    ended = CliRunner().invoke(app, [*arguments, "--epochs", "1", "--batch", "8", "--tiles", "1", "--views", "1"])
    assert ended.exit_code == 0, ended.output
    said = json.loads(ended.stdout)["card"]
    assert said["measured"]["labels"] == ["large", "small"]
    assert said["measured"]["archive"] == "archive"
    assert said["gain"]["queries"] == said["test"]["slides"] > 0
    assert said["across"]["queries"] > 0
    assert said["licence"].startswith("Apache-2.0")
    assert out.exists() == bool(said["blend"])
    assert len(list(list_adapted())) == out.exists()


def test_folder_is_an_encoder_of_its_own(
    whole: TileAdaptation,
    archive: Archive,
    pictures: Path,
    network: SplitNetwork,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    out = tmp_path / "my-tiles"
    card = save_tile_adaptation(replace(whole, blend=0.5), out, "mine", data="made", licence="")
    monkeypatch.setenv("HISTOSEEK_ENCODERS_DIR", str(tmp_path / "encoders"))
    get_settings.cache_clear()
    note_adapted(out)
    note_adapted(out)
    listed = [each for each in list_encoders() if each.name == card.load_with]
    assert [(each.state, each.is_own) for each in listed] == [("usable", True)]
    assert "adapted to diagnosis of mine" in listed[0].summary
    encoder = load_tile_encoder(card.load_with)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3), dtype=np.uint8)
    module = load_module(out / WEIGHTS_FILE).eval()
    own = SplitNetwork(network.card, "", module.network, module.network._blocks, 15)
    expected = tail_of(own, network.compute_trunk(pixels))
    assert np.abs(encoder.encode(pixels) - expected).max() < 2e-3 * np.abs(expected).max()
    assert find_tile_card(card.load_with) == encoder.card
    assert encoder.card.version == "1.adapted"
    assert encoder.weights_hash == card.sha256[:16]
    other = Archive.create(tmp_path / "other", Recipe(encoder=card.load_with, tile_budget=None), text_encoder="none")
    other.index([pictures / "p00.png", pictures / "p01.png"], spacing_of={"p00.png": 0.5, "p01.png": 0.5})
    assert other.require_space().tile_encoder == "lite0-1.adapted"
    assert other.require_space().fingerprint != archive.require_space().fingerprint
    with pytest.raises(EncoderError, match="was adapted already"):
        load_split_network(card.load_with, 1)
    with pytest.raises(EncoderError, match="no text tower"):
        load_word_tower(card.load_with)


def test_evaluations_ask_nobody_that_was_trained_on(
    whole: TileAdaptation, archive: Archive, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    slides = load_labelled_slides(archive, "diagnosis")
    parts = split_slides(slides, Shares(0.4, 0.2, 0.4), 0)
    out = tmp_path / "my-tiles"
    adaptation = replace(whole, slides=slides, parts=parts, blend=1.0)
    card = save_tile_adaptation(adaptation, out, "mine", data="made", licence="")
    assert not any(slide.slide_id in (out / CARD_FILE).read_text() for slide in slides.slides)
    cohort = load_cohort(archive, "diagnosis")
    assert find_seen_slides(cohort, EvaluationSpec()) is None
    named = find_seen_slides(cohort, EvaluationSpec(held_out=str(out)))
    assert named is not None
    assert {cohort.slide_ids[place] for place in np.flatnonzero(~named.is_seen)} == {
        slides.slides[place].slide_id for place in parts.test
    }
    adapted_recipe = replace(archive.recipe, encoder=card.load_with)
    monkeypatch.setattr(Archive, "recipe", property(lambda archive: adapted_recipe))
    own = find_seen_slides(cohort, EvaluationSpec())
    assert own is not None
    assert np.array_equal(own.is_seen, named.is_seen)


def test_damaged_folders_are_refused(whole: TileAdaptation, tmp_path: Path) -> None:
    out = tmp_path / "my-tiles"
    card = save_tile_adaptation(replace(whole, blend=0.5), out, "mine", data="made", licence="")
    with pytest.raises(ConfigurationError, match="is not empty"):
        save_tile_adaptation(whole, out, "mine", data="made", licence="")
    with pytest.raises(EncoderError, match="adapted from lite0"):
        load_tile_encoder(f"uni@{out}")
    weights = (out / WEIGHTS_FILE).read_bytes()
    (out / WEIGHTS_FILE).write_bytes(weights[:-1] + b"x")
    with pytest.raises(EncoderError, match="SHA-256 differs"):
        load_tile_encoder(card.load_with)
    (out / WEIGHTS_FILE).unlink()
    with pytest.raises(EncoderError, match="is missing beside its card"):
        load_tile_encoder(card.load_with)
    (out / CARD_FILE).write_text("{}")
    with pytest.raises(EncoderError, match="no card of an adapted tile encoder"):
        find_tile_card(card.load_with)


def test_nothing_is_written_where_nothing_is_gained(whole: TileAdaptation, tmp_path: Path) -> None:
    plain = replace(whole, blend=0.0, best_epoch=0)
    card = save_tile_adaptation(plain, tmp_path / "none", "mine", data="made", licence="")
    assert (card.helps, card.load_with, (tmp_path / "none").exists()) == (False, "lite0", False)
    assert any("keep that" in note for note in plain.notes)


def test_what_cannot_be_learnt_from_is_refused(archive: Archive, pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="1 labels of at least 5 patients"):
        load_labelled_slides(archive, "one")
    with pytest.raises(InputError, match="labels of fewer than 5 patients are left out: a, b"):
        load_labelled_slides(archive, "few")
    with pytest.raises(InputError, match="no such column"):
        load_labelled_slides(archive, "nothing")
    with pytest.raises(InputError, match="holds no labels"):
        load_labelled_slides(archive, "patient_id")
    imported = labelled_archive(tmp_path / "imported", [0, 1, 0, 1], [0, 1, 2, 3])
    with pytest.raises(InputError, match="made of feature files"):
        load_labelled_slides(imported, "diagnosis")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(ConfigurationError, match="is not empty"):
        adapt_to_folder(archive, "diagnosis", tmp_path / "full")


def test_slides_that_are_gone_are_named(archive: Archive, pictures: Path) -> None:
    moved = [pictures / f"p{number:02d}.png" for number in (0, 1)]
    try:
        for path in moved:
            path.rename(path.with_suffix(".away"))
        found = load_labelled_slides(archive, "diagnosis")
        assert len(found) == 2 * PATIENTS - 2
        assert any(note.startswith("2 slides are left out") and "p00, p01" in note for note in found.notes)
        for number in (2, 4):
            (pictures / f"p{number:02d}.png").rename(pictures / f"p{number:02d}.away")
        with pytest.raises(InputError, match="4 slides are left out, as their file is no longer"):
            load_labelled_slides(archive, "diagnosis")
    finally:
        for path in pictures.glob("*.away"):
            path.rename(path.with_suffix(".png"))


def test_encoders_that_cannot_be_adapted_are_named(monkeypatch: pytest.MonkeyPatch, archive: Archive) -> None:
    from histoseek.training.tiles.adapt import require_packages

    with pytest.raises(ConfigurationError, match="lite0 has 16"):
        load_split_network("lite0", 16)
    with pytest.raises(EncoderError, match="code of your own"):
        require_packages("own:mine")
    monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", None)
    with pytest.raises(MissingExtra, match=r"histoseek\[torch\]"):
        require_packages("lite0")
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(MissingExtra, match=r"histoseek\[models\]"):
        require_packages("uni")


@pytest.mark.parametrize(("name", "value"), [("epochs", 0), ("batch", 4), ("test", 0.9), ("views", 0)])
def test_settings_that_make_no_sense_are_refused(name: str, value: float) -> None:
    with pytest.raises(ConfigurationError):
        replace(SETTINGS, **{name: value})  # type: ignore[arg-type]
