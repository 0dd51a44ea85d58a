"""Two slide encoders in one weights file: cosines are weighted means, mosaics stay apart, cards say both."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from histoseek.encoders.alignment import load_alignment
from histoseek.encoders.bag import Bag
from histoseek.encoders.pairing import pair_weights
from histoseek.encoders.slide.base import RegionalEncoder, SlideEmbedding
from histoseek.encoders.slide.paired.architecture import PairedArchitecture, PairedPart
from histoseek.encoders.slide.paired.encoder import pair_encoders
from histoseek.encoders.slide.pathsearch.architecture import PathSearchArchitecture
from histoseek.encoders.slide.regions import SlideRegion
from histoseek.encoders.text.trained import build_text_encoder
from histoseek.encoders.weights import FeatureSpace, Weights, load_weights, save_weights
from histoseek.errors import ConfigurationError, WeightsError
from tests.cli.process import histoseek, refused
from tests.weights import SMALL, small_weights

WIDE = PathSearchArchitecture(input_dimension=24, dimension=48, mosaic_size=3, heads=4, gate_dimension=8)
SHARE = 0.7


def draw_bag(seed: int, tiles: int = 30) -> Bag:
    rng = np.random.default_rng(seed)
    coords = np.array([(448 * (i % 6), 448 * (i // 6)) for i in range(tiles)], np.int32)
    features = rng.standard_normal((tiles, 24)).astype(np.float32)
    return Bag(features, coords, np.ones(tiles, np.float32), 448, 0.5, "test")


@pytest.fixture(scope="module", name="parts")
def fixture_parts() -> tuple[Weights, Weights]:
    return small_weights(1, texts=True, name="one"), small_weights(2, texts=True, name="other", architecture=WIDE)


@pytest.fixture(scope="module", name="pair")
def fixture_pair(parts: tuple[Weights, Weights]) -> Weights:
    return pair_weights(*parts, "pair", SHARE)


def test_cosines_of_slides_are_weighted_means(parts: tuple[Weights, Weights], pair: Weights) -> None:
    bags = [draw_bag(seed) for seed in range(3)]
    embedded = [[encoder.encode(bag) for bag in bags] for encoder in (w.build_slide_encoder() for w in (*parts, pair))]
    vectors = [np.stack([each.global_vector for each in own]).astype(np.float64) for own in embedded]
    wanted = SHARE * vectors[0] @ vectors[0].T + (1 - SHARE) * vectors[1] @ vectors[1].T
    assert vectors[2].shape == (3, 80)
    assert np.allclose(vectors[2] @ vectors[2].T, wanted, atol=1e-6)


def test_mosaics_of_both_stay_apart(parts: tuple[Weights, Weights], pair: Weights) -> None:
    bag = draw_bag(5)
    one, other, both = (weights.build_slide_encoder().encode(bag) for weights in (*parts, pair))
    assert [len(each.parts) for each in (one, other, both)] == [4, 3, 7]
    mosaic = np.stack([part.vector for part in both.parts])
    assert np.array_equal(mosaic[:4, :32], np.stack([part.vector for part in one.parts]))
    assert np.array_equal(mosaic[4:, 32:], np.stack([part.vector for part in other.parts]))
    assert (mosaic[:4] @ mosaic[4:].T == 0).all()
    assert np.allclose(np.linalg.norm(mosaic, axis=1), 1, atol=1e-6)
    shares = [SHARE * part.share for part in one.parts] + [(1 - SHARE) * part.share for part in other.parts]
    assert np.allclose([part.share for part in both.parts], shares)
    assert sum(part.share for part in both.parts) == pytest.approx(1)
    assert both.parts[5].coords.tolist() == other.parts[1].coords.tolist()


def test_cosines_of_texts_and_slides_are_weighted_means(
    parts: tuple[Weights, Weights], pair: Weights, tmp_path: Path
) -> None:
    texts, bag = ["ductal carcinoma", "a normal lung"], draw_bag(6)
    raw = build_text_encoder(parts[0], "minilm").encode(texts).astype(np.float64)
    cosines, regional = [], []
    for weights in parts:
        projected = raw @ weights.tensors["text_projection.weight"].T + weights.tensors["text_projection.bias"]
        projected /= np.linalg.norm(projected, axis=1, keepdims=True)
        embedding = weights.build_slide_encoder().encode(bag)
        cosines.append(projected @ embedding.global_vector)
        regional += [projected @ part.vector for part in embedding.parts]
    encoder, alignment = build_text_encoder(pair, "minilm"), pair.alignment
    assert alignment is not None
    alignment.save(tmp_path / "alignment")
    alignment = load_alignment(tmp_path / "alignment", alignment.fingerprint)
    vectors = alignment.texts(encoder.encode(texts))
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    embedding = pair.build_slide_encoder().encode(bag)
    slide = alignment.slides(embedding.global_vector[None])[0]
    assert np.allclose(vectors @ slide, SHARE * cosines[0] + (1 - SHARE) * cosines[1], atol=1e-6)
    mosaic = np.stack([part.vector for part in embedding.parts])
    assert np.allclose(vectors @ alignment.mosaics(mosaic).T, np.stack(regional, axis=1), atol=1e-5)
    [reading] = encoder.read([["ductal", "carcinoma"]])
    assert np.allclose(reading.vector, encoder.encode(["ductal carcinoma"])[0], atol=1e-5)
    assert reading.passages.shape == (2, 768)


def test_a_pair_in_which_one_has_no_texts_is_found_by_the_other_alone(parts: tuple[Weights, Weights]) -> None:
    silent = small_weights(3, name="silent", architecture=WIDE)
    for weights, numbers in (
        (pair_weights(parts[0], silent, "p"), slice(0, 32)),
        (pair_weights(silent, parts[0], "q"), slice(48, 80)),
    ):
        alignment, own = weights.alignment, parts[0].alignment
        assert alignment is not None and own is not None
        encoder, plain = build_text_encoder(weights, "minilm"), build_text_encoder(parts[0], "minilm")
        vector = alignment.texts(encoder.encode(["grade 2"]))[0]
        assert np.array_equal(vector, own.texts(plain.encode(["grade 2"]))[0])
        embedding = weights.build_slide_encoder().encode(draw_bag(7))
        alone = parts[0].build_slide_encoder().encode(draw_bag(7)).global_vector
        assert alignment.slides(embedding.global_vector[None])[0] @ vector == pytest.approx(alone @ vector, abs=1e-6)
        assert np.allclose(
            np.stack([part.vector for part in embedding.parts])[:, numbers] @ vector,
            alignment.mosaics(np.stack([part.vector for part in embedding.parts])) @ vector,
            atol=1e-6,
        )
    assert pair_weights(silent, small_weights(4, name="mute"), "r").alignment is None


def test_a_file_of_both_is_read_back_and_says_both(
    parts: tuple[Weights, Weights], pair: Weights, tmp_path: Path
) -> None:
    save_weights(pair, tmp_path / "pair.safetensors")
    again = load_weights(tmp_path / "pair.safetensors")
    assert again.card == pair.card
    assert again.card.parts == (parts[0].card, parts[1].card)
    assert [each.card.fingerprint for each in again.split()] == [each.card.fingerprint for each in parts]
    assert all(one.tensors.keys() == own.tensors.keys() for one, own in zip(again.split(), parts, strict=True))
    assert again.card.source == "pair of one and other, share 0.7 and 0.3"
    others = (pair_weights(*parts, "pair", 0.6), pair_weights(*parts[::-1], "pair", SHARE))
    assert len({each.card.fingerprint for each in (pair, *others)}) == 3


class Regional:
    """An encoder of one vector a half of the tiles, each its region."""

    name, input_dimension, dimension = "halves", 24, 24

    def encode(self, bag: Bag) -> SlideEmbedding:
        return small_weights(1).build_slide_encoder().encode(bag)

    def list_regions(self, bag: Bag) -> tuple[SlideRegion, ...]:
        tiles = np.array_split(np.arange(len(bag)), 4)
        return tuple(SlideRegion(each, bag.coords[each], 448, 0) for each in tiles)


def test_regions_are_those_of_the_encoder_that_has_them(parts: tuple[Weights, Weights]) -> None:
    plain = parts[1].build_slide_encoder()
    one, other = (PairedPart("pathsearch", "masked", architecture) for architecture in (SMALL, WIDE))
    first = pair_encoders("p", Regional(), plain, PairedArchitecture(one, other))
    second = pair_encoders("p", plain, Regional(), PairedArchitecture(other, one))
    assert not isinstance(pair_encoders("p", plain, plain, PairedArchitecture(other, other)), RegionalEncoder)
    assert isinstance(first, RegionalEncoder) and isinstance(second, RegionalEncoder)
    bag = draw_bag(8)
    wanted = Regional().list_regions(bag)
    assert first.list_regions(bag) == (*wanted, None, None, None)
    assert second.list_regions(bag) == (None, None, None, *wanted)


def test_what_cannot_be_paired_is_refused(parts: tuple[Weights, Weights], pair: Weights) -> None:
    def with_features(**facts: object) -> Weights:
        card = parts[1].card
        return Weights(replace(card, features=FeatureSpace(**facts)), parts[1].tensors)  # type: ignore[arg-type]

    spaced = Weights(replace(parts[0].card, features=FeatureSpace("test", 0.5, 448)), parts[0].tensors)
    odd = small_weights(5, architecture=replace(WIDE, input_dimension=12))
    for first, second, what in (
        (parts[0], parts[0], "same encoder"),
        (pair, parts[0], "pair already"),
        (parts[0], with_features(tile_encoder="uni"), r"other features \(test, .*; uni"),
        (spaced, with_features(tile_encoder="test", spacing_um_per_px=1.0), "other features"),
        (spaced, with_features(tile_encoder="test", tile_edge_px=224), "other features"),
        (parts[0], odd, "24 and of 12 dimensions"),
    ):
        with pytest.raises(ConfigurationError, match=what):
            pair_weights(first, second, "pair")
    for share in (0.0, 1.0, float("nan")):
        with pytest.raises(ConfigurationError, match="--share"):
            pair_weights(*parts, "pair", share)
    known = pair_weights(spaced, with_features(tile_encoder="unknown"), "pair").card.features
    assert known == FeatureSpace("test", 0.5, 448)


def test_damaged_files_of_pairs_are_refused(pair: Weights, tmp_path: Path) -> None:
    save_weights(pair, tmp_path / "pair.safetensors")
    card = json.loads((tmp_path / "pair.json").read_text())

    def refuse(changed: dict[str, object]) -> None:
        (tmp_path / "pair.json").write_text(json.dumps({**card, **changed}))
        with pytest.raises(WeightsError, match=r"pair\.json"):
            load_weights(tmp_path / "pair.safetensors")

    refuse({"parts": card["parts"][:1]})
    refuse({"parts": card["parts"][::-1]})
    refuse({"parts": [card, card["parts"][1]]})
    refuse({"architecture": {**card["architecture"], "share": 2}})
    refuse({"architecture": {**card["architecture"], "share": "half"}})
    refuse(
        {
            "architecture": {
                **card["architecture"],
                "first": {"family": "paired", "mode": "weighted", "architecture": card["architecture"]},
            }
        }
    )


def test_two_files_are_paired_on_the_command_line(parts: tuple[Weights, Weights], tmp_path: Path) -> None:
    files = [tmp_path / f"{weights.card.name}.safetensors" for weights in parts]
    for weights, file in zip(parts, files, strict=True):
        save_weights(weights, file)
    out = tmp_path / "both.safetensors"
    done = histoseek("weights", "pair", *files, "--out", tmp_path / "both", "--share", "0.7")
    assert (
        "both: pair of one and other, share 0.7 and 0.3; weighted mode, 24-d features of test to 7 x 80" in done.stdout
    )
    assert load_weights(out).card.architecture == pair_weights(*parts, "x", SHARE).card.architecture
    shown = histoseek("weights", "show", out).stdout
    assert "first of the pair:\nname: one" in shown and "second of the pair:\nname: other" in shown
    assert "same encoder" in refused("weights", "pair", files[0], files[0], "--out", tmp_path / "twice")
