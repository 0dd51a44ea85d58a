"""Trainings with FGCR's reference: state dicts of its class, computed as the reference does, in archives."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from histoseek.archive.reencode import reencode
from histoseek.archive.space_folders import SpaceChange
from histoseek.encoders.bag import Bag
from histoseek.encoders.checkpoints.importing import ImportRequest, import_checkpoint
from histoseek.encoders.pairing import pair_weights
from histoseek.encoders.slide.fgcr.architecture import REFERENCE_SCALES, FgcrArchitecture
from histoseek.encoders.slide.fgcr.reference_anchors import place_reference_anchors
from histoseek.encoders.text.fgcr.word_list import WordList
from histoseek.encoders.text.registry import load_text_encoder, load_tower
from histoseek.encoders.text.trained import build_text_encoder
from histoseek.encoders.weights import FeatureSpace, Weights, load_weights
from histoseek.errors import ConfigurationError, EncoderError, InputError, WeightsError
from histoseek.search.regional.opening import open_region_measure
from tests.cli.process import histoseek, refused
from tests.encoders import fgcr_reference as naive
from tests.evaluation.archives import labelled_archive
from tests.weights import small_weights

VOCABULARY = (
    "",
    "adenoma",
    "carcinoma",
    "ring",
    "signet ring",
    "cells",
    "of",
    "the",
    "胃",
    "腺癌",
    "ulcer",
    "necrosis",
)
PROMPTS = (1, 2, 9, 10, 11)


@pytest.fixture(scope="module")
def state() -> dict[str, np.ndarray]:
    return naive.random_state()


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("words")
    (folder / "vocabulary.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    np.save(folder / "prompts.npy", np.array(PROMPTS))
    return folder / "vocabulary.txt", folder / "prompts.npy"


@pytest.fixture(scope="module")
def weights(
    state: dict[str, np.ndarray], words: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> Weights:
    return import_checkpoint(write(state, tmp_path_factory.mktemp("state") / "fgcr.pt"), request(words))


def request(words: tuple[Path, Path]) -> ImportRequest:
    return ImportRequest("fgcr", FeatureSpace("test"), vocabulary=words[0], prompts=words[1])


def write(state: Mapping[str, object], path: Path, prefix: str = "", wrapper: str | None = None) -> Path:
    tensors = {
        f"{prefix}{name}": torch.from_numpy(value) if isinstance(value, np.ndarray) else value
        for name, value in state.items()
    }
    torch.save({wrapper: tensors, "epoch": 3} if wrapper else tensors, path)
    return path


def bag(tiles: int = 60, columns: int = 8, seed: int = 1) -> Bag:
    rng = np.random.default_rng(seed)
    order = rng.permutation(tiles)
    coords = (448 * np.stack([order % columns, order // columns], 1)).astype(np.int32)
    features = rng.standard_normal((tiles, naive.FEATURES)).astype(np.float32)
    return Bag(features, coords, np.ones(tiles, np.float32), 448, 0.5, "test")


def naive_masks(cells: np.ndarray, tiles: np.ndarray, scales: np.ndarray) -> np.ndarray:
    return np.array(
        [
            [np.exp(-((cells[tile] - cell) ** 2).sum() / (2 * REFERENCE_SCALES[scale])) for cell in cells]
            for tile, scale in zip(tiles, scales, strict=True)
        ]
    )


def test_slides_have_the_references_class_and_anchor_embeddings(weights: Weights, state: dict[str, np.ndarray]) -> None:
    slide = bag()
    encoder, alignment = weights.build_slide_encoder(), weights.alignment
    assert alignment
    assert (weights.card.slide_encoder, weights.card.text and weights.card.text.encoder) == ("fgcr-1-reference", "fgcr")
    raster = np.lexsort((slide.coords[:, 0], slide.coords[:, 1]))
    cells = slide.coords[raster].astype(np.int64) // 448
    placed = place_reference_anchors(cells, naive_sizes())
    masks = naive_masks(cells, placed.tiles, placed.scales)
    embedding = encoder.encode(slide)
    class_embedding, anchors, tile_weights, shares = naive.embed_slide(state, slide.features[raster], masks)
    assert np.allclose(embedding.global_vector, naive.standardise(class_embedding), atol=1e-5)
    aligned = alignment.slides(embedding.global_vector[None])[0]
    assert np.allclose(aligned, naive.unit(naive.classify(state, class_embedding)), atol=1e-5)
    vectors = np.stack([part.vector for part in embedding.parts])
    assert np.allclose(vectors, naive.unit(anchors), atol=1e-5)
    assert np.array_equal(alignment.regional.slides(vectors), vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    assert np.allclose([part.share for part in embedding.parts], shares, atol=1e-5)
    top = tile_weights[0].argsort()[::-1][:16]
    assert np.array_equal(embedding.parts[0].coords, slide.coords[raster][top])
    assert np.allclose(embedding.parts[0].weights, tile_weights[0][top] / tile_weights[0][top].sum(), atol=1e-5)


def naive_sizes() -> FgcrArchitecture:
    return FgcrArchitecture(
        naive.FEATURES, naive.WIDTH, 25, naive.DEPTH, naive.HEADS, 64, naive.HIDDEN, REFERENCE_SCALES, 1
    )


def test_texts_and_prompts_have_the_references_embeddings(weights: Weights, state: dict[str, np.ndarray]) -> None:
    encoder, alignment = build_text_encoder(weights, "fgcr"), weights.alignment
    assert alignment
    assert encoder.card.dimension == 2 * naive.WIDTH
    texts = {
        "Carcinoma with signet ring cells": [2, 4, 5],
        "The adenoma of the\nring; ringed": [7, 1, 6, 7, 3],
        "胃腺癌, ulcer.": [8, 9, 10],
        "nothing known": [],
    }
    vectors = encoder.encode(list(texts))
    for vector, rows in zip(vectors, texts.values(), strict=True):
        report = naive.embed_report(state, rows)
        assert np.allclose(naive.unit(vector[: naive.WIDTH]), naive.standardise(report), atol=1e-5)
        aligned = alignment.texts(vector[None])[0] if rows else alignment.texts(vector[None] / np.sqrt(2))[0]
        assert np.allclose(aligned, naive.unit(naive.classify(state, report)), atol=1e-5)
        if rows:
            phrase = naive.unit(naive.embed_prompts(state, rows).mean(axis=0))
            assert np.allclose(alignment.regional.texts(vector[None])[0], phrase, atol=1e-5)
    assert not vectors[3, naive.WIDTH :].any()
    prompts = naive.unit(naive.embed_prompts(state, PROMPTS))
    single = encoder.encode([VOCABULARY[row] for row in PROMPTS])
    assert np.allclose(alignment.regional.texts(single), prompts, atol=1e-5)
    alone = naive.unit(naive.embed_prompts(state, [5]))
    assert np.allclose(alignment.regional.texts(encoder.encode(["cells"])), alone, atol=1e-5)


@given(st.lists(st.text("ab胃 -", min_size=1, max_size=4), min_size=1, max_size=8), st.text("ab胃 -\n", max_size=30))
@settings(max_examples=200, deadline=None)
def test_words_are_found_as_by_one_pattern_of_all(words: list[str], text: str) -> None:
    kept = sorted({" ".join(word.split()) for word in words} - {""}, key=lambda word: (-len(word), word))
    letters = "[ab]"
    patterns = (
        (f"(?<!{letters})" if word[0] in "ab" else "")
        + re.escape(word)
        + (f"(?!{letters})" if word[-1] in "ab" else "")
        for word in kept
    )
    matches = re.finditer("|".join(patterns), " ".join(text.split())) if kept else ()
    assert WordList(tuple(kept)).find_rows(text) == [kept.index(match.group()) for match in matches]


def test_long_reports_are_read_in_windows(weights: Weights, state: dict[str, np.ndarray]) -> None:
    encoder = build_text_encoder(weights, "fgcr")
    rows = [1, 2, 3, 5, 6, 7, 10, 11, 1, 3, 2]
    [vector] = encoder.encode([" ".join(VOCABULARY[row] for row in rows)])
    windows = (rows[:9], rows[7:])
    mean = sum((len(window) + 1) * naive.standardise(naive.embed_report(state, window)) for window in windows)
    assert np.allclose(naive.unit(vector[: naive.WIDTH]), naive.unit(np.asarray(mean)), atol=1e-5)
    [reading] = encoder.read([["carcinoma", "unknown words"]])
    assert np.allclose(reading.vector, encoder.encode(["carcinoma unknown words"])[0])
    with pytest.raises(InputError, match="is empty"):
        encoder.encode([" "])


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=400, unique=True))
@settings(max_examples=25, deadline=None)
def test_anchors_are_few_lie_on_tiles_and_see_them_by_distance(cells: list[tuple[int, int]]) -> None:
    places = np.array(sorted(cells, key=lambda cell: cell[::-1]), np.int64)
    placed = place_reference_anchors(places, naive_sizes())
    assert 6 <= len(placed.tiles) <= 25
    assert set(placed.scales.tolist()) == set(range(6))
    assert np.allclose(placed.masks, naive_masks(places, placed.tiles, placed.scales), atol=1e-6)
    wanted = sum(len(places) // scale + 1 for scale in REFERENCE_SCALES)
    if wanted <= 25:
        for scale in range(6):
            members = [each for each, own in zip(placed.members, placed.scales, strict=True) if own == scale]
            assert sorted(np.concatenate(members).tolist()) == list(range(len(places)))
    for tile, members in zip(placed.tiles, placed.members, strict=True):
        centre = places[members].mean(axis=0)
        assert ((places - centre) ** 2).sum(1).min() >= ((places[tile] - centre) ** 2).sum() - 1e-3 or tile in members


def test_the_order_of_tiles_changes_nothing_and_2048_are_read(weights: Weights) -> None:
    slide, encoder = bag(400, 20), weights.build_slide_encoder()
    order = np.random.default_rng(5).permutation(400)
    one, other = encoder.encode(slide), encoder.encode(slide.take(order))
    assert len(one.parts) == 25
    assert np.allclose(one.global_vector, other.global_vector, atol=1e-6)
    assert all(np.array_equal(a.coords, b.coords) for a, b in zip(one.parts, other.parts, strict=True))
    large = bag(2100, 50)
    first = np.lexsort((large.coords[:, 0], large.coords[:, 1]))[:2048]
    assert np.array_equal(encoder.encode(large).global_vector, encoder.encode(large.take(first)).global_vector)
    regions = encoder.list_regions(slide)  # type: ignore[attr-defined]
    assert [len(region.outline) >= 4 for region in regions] == [True] * 25
    for region in regions:
        tiles = slide.coords[region.tiles]
        assert (region.outline.min(0) == tiles.min(0)).all() and (region.outline.max(0) == tiles.max(0) + 448).all()
    nowhere = replace(slide, coords=np.full_like(slide.coords, -1))
    with pytest.raises(EncoderError, match="needs the places of tiles"):
        encoder.encode(nowhere)
    with pytest.raises(EncoderError, match="dimension 24, these have 5"):
        encoder.encode(replace(slide, features=slide.features[:, :5]))


@pytest.mark.parametrize(("prefix", "wrapper"), [("module.", "state_dict"), ("", "model")])
def test_trainings_are_imported_as_they_are_kept(
    prefix: str, wrapper: str, state: dict[str, np.ndarray], words: tuple[Path, Path], weights: Weights, tmp_path: Path
) -> None:
    older = {{"img_cls_token": "cls_token"}.get(name, name): value for name, value in state.items()}
    extras = {"position_ids": np.arange(naive.PLACES)[None], "token_type_embeddings.weight": np.zeros((2, naive.WIDTH))}
    again = import_checkpoint(write(older | extras, tmp_path / "older.pt", prefix, wrapper), request(words))
    assert again.card.sha256 == weights.card.sha256
    bare = {name: value for name, value in state.items() if name in naive.shapes()}
    assert import_checkpoint(write(bare, tmp_path / "bare.pt"), request(words)).card.sha256 == weights.card.sha256
    slides = import_checkpoint(tmp_path / "bare.pt", ImportRequest("slides", None, text_encoder=None))
    assert (slides.card.text, slides.alignment, slides.card.features.tile_encoder) == (None, None, "unknown")
    assert np.array_equal(
        slides.build_slide_encoder().encode(bag()).global_vector,
        weights.build_slide_encoder().encode(bag()).global_vector,
    )


def test_weights_with_a_space_of_their_own_for_texts_are_not_paired(weights: Weights) -> None:
    with pytest.raises(ConfigurationError, match="--text-encoder none, and pair that"):
        pair_weights(weights, small_weights(), "both")


def test_state_dicts_that_do_not_fit_are_refused_in_one_line(
    state: dict[str, np.ndarray], words: tuple[Path, Path], tmp_path: Path
) -> None:
    def reason(changed: Mapping[str, object]) -> str:
        with pytest.raises(WeightsError) as caught:
            import_checkpoint(write(changed, tmp_path / "bad.pt"), request(words))
        assert "\n" not in str(caught.value) and "bad.pt" in str(caught.value)
        return str(caught.value)

    def without(*names: str) -> dict[str, object]:
        return {name: value for name, value in state.items() if name not in names}

    assert "1 missing: text_linear.bias" in reason(without("text_linear.bias"))
    assert "1 missing: img_cls_token" in reason(without("img_cls_token"))
    assert "1 extra: fc.weight" in reason({**state, "fc.weight": np.zeros((2, 2), np.float32)})
    short = {**state, "kt.layers.1.1.to_out.0.bias": np.zeros(3, np.float32)}
    assert "1 of another shape: kt.layers.1.1.to_out.0.bias [3] instead of [16]" in reason(short)
    assert "text_head.bias [3] instead of [12]" in reason({**state, "text_head.bias": np.zeros(3, np.float32)})
    assert "kernel_token holds NaN" in reason({**state, "kernel_token": np.full((1, 1, 16), np.nan, np.float32)})
    gap = {name.replace("kt.layers.1.", "kt.layers.4."): value for name, value in state.items()}
    assert "11 missing: kt.layers.1.0.bias" in reason(gap)
    odd = {**state, "kt.layers.0.1.to_qkv.weight": np.zeros((3 * 40, 16), np.float32)}
    assert "queries of 40 values, not of heads of 64" in reason(odd)
    assert "no text_embedding.weight" in reason(without("text_embedding.weight"))
    path = write(state, tmp_path / "good.pt")
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(WeightsError, match="is damaged"):
        import_checkpoint(path, request(words))
    write(state, path)
    with pytest.raises(ConfigurationError, match="Give --vocabulary FILE, or --text-encoder none"):
        import_checkpoint(path, ImportRequest("fgcr", None))
    with pytest.raises(ConfigurationError, match="mode anchored"):
        import_checkpoint(path, replace(request(words), mode="anchored"))
    with pytest.raises(EncoderError, match="comes with FGCR weights alone"):
        load_text_encoder("fgcr")
    with pytest.raises(EncoderError, match="not trained here"):
        load_tower("fgcr")


@pytest.mark.parametrize(
    ("vocabulary", "prompts", "reason"),
    [
        ("\n".join(VOCABULARY[:-1]), None, "has 11 words, but the word embedding has 12 rows"),
        (json.dumps({"adenoma": 12}), None, "row 12 is not one of the word embedding's 12 rows"),
        (json.dumps({"adenoma": 1, "ulcer": 1}), None, "has two words for row 1"),
        ("\n".join(["Ulcer", *VOCABULARY[1:]]), None, "has the word 'ulcer' twice"),
        ("[1, 2", None, "is damaged JSON"),
        (b"\xff\xfe\x00\xd8", None, "is not readable as UTF-8 text"),
        (None, None, "no such file"),
        ("\n" * 12, None, "has no words"),
        (json.dumps(VOCABULARY), "adenoma\nulcer", "has 2 prompts, but the prompt classifier has 5"),
        (json.dumps(VOCABULARY), json.dumps([1, 2, 3, 4, 12]), "prompt 12 is not in the vocabulary"),
        (json.dumps(VOCABULARY), "adenoma\nulcer\nring\nof\nlymphoma", "prompt 'lymphoma' is not in the vocabulary"),
    ],
)
def test_words_that_do_not_fit_are_refused(
    vocabulary: str | bytes | None, prompts: str | None, reason: str, state: dict[str, np.ndarray], tmp_path: Path
) -> None:
    words, listed = tmp_path / "words", tmp_path / "prompts"
    if vocabulary is not None:
        words.write_bytes(vocabulary if isinstance(vocabulary, bytes) else vocabulary.encode())
    if prompts is not None:
        listed.write_text(prompts)
    wanted = ImportRequest("fgcr", None, vocabulary=words, prompts=listed if prompts else None)
    with pytest.raises(InputError) as caught:
        import_checkpoint(write(state, tmp_path / "fgcr.pt"), wanted)
    assert reason in str(caught.value) and "\n" not in str(caught.value)


def test_the_command_imports_trainings_with_their_words(
    state: dict[str, np.ndarray], words: tuple[Path, Path], weights: Weights, tmp_path: Path
) -> None:
    environment = {"HISTOSEEK_WEIGHTS_DIR": str(tmp_path / "library")}
    file = write(state, tmp_path / "mine.pth", "module.", "state_dict")
    listed = ("--vocabulary", words[0], "--prompts", words[1], "--tile-encoder", "own")
    done = histoseek("weights", "import", file, *listed, **environment)
    assert done.returncode == 0, done.stderr
    assert "reference mode, 24-d features of own to 25 x 16, texts by fgcr" in done.stdout
    assert load_weights(tmp_path / "library" / "mine.safetensors").card.sha256 == weights.card.sha256
    assert "Give --vocabulary FILE" in refused("weights", "import", file, **environment)


def test_an_archive_is_searched_in_four_directions(
    state: dict[str, np.ndarray], weights: Weights, tmp_path: Path
) -> None:
    reports = ("carcinoma with signet ring cells", "adenoma", "ulcer and necrosis", "adenoma of the ring", "", "胃腺癌")
    archive = labelled_archive(tmp_path, [i % 2 for i in range(6)], list(range(6)), reports=reports)
    reencode(archive, SpaceChange(weights=weights, text_encoder="fgcr"))
    space = archive.require_space()
    assert (space.text_encoder, space.text_dimension, space.shared_dimension) == ("fgcr-1", 32, naive.PROMPTS)
    stored = archive.get("slide-000")
    report = naive.unit(naive.classify(state, naive.embed_report(state, [2, 4, 5])))
    assert stored.language.shared_report_vector is not None
    assert np.allclose(stored.language.shared_report_vector, report, atol=1e-5)
    phrase = "signet ring cells"
    assert all(archive.search(like="slide-000", to=to, k=3) for to in ("slides", "reports"))
    assert list(archive.search(text=phrase, to="reports", k=3))
    results = list(archive.search(text=phrase, to="slides", k=6))
    assert len(results) == 6
    prompt = naive.unit(naive.embed_prompts(state, [4, 5]).mean(axis=0))
    measure = open_region_measure(archive, archive.store)
    measured = measure.measure_regions("slide-000", measure.encode([phrase]))
    anchors = stored.signature.mosaic.astype(np.float32)
    assert measure.name == "anchors"
    assert np.allclose(measured.similarities[0], anchors @ prompt, atol=2e-3)
    assert [region.scale for region in measured.regions] == [0, 1, 2, 3, 4, 5]
    regions = list(archive.search(text=phrase, to="regions", k=6))
    assert regions and all(result.region is not None for result in regions)
    other_name = measure.encode(["epithelial malignancy"])
    assert other_name.any() and np.array_equal(other_name, measure.encode(["carcinoma"]))
    for text, asked in (("the fibrosis", "the fibrosis"), ("necrosis and fibrosis", "necrosis")):
        assert [prompt.name for prompt in measure.embed_query(text, ["fibrosis"]).prompts] == [asked]
    for text in ("fibrosis", "no fibrosis"):
        with pytest.raises(InputError, match="no word that this archive's text encoder knows"):
            archive.search(text=text, to="regions")
    phrases = archive.phrases(like="slide-000")
    assert phrases.measured_by == "anchors" and "carcinoma" in {phrase.name for phrase in phrases}
    with pytest.raises(EncoderError, match="comes with FGCR weights alone"):
        reencode(archive, SpaceChange(untrained=True))
