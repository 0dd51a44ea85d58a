"""A small text encoder made from reports: its words, its bytes, and that it loads as any other."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from histoseek.archive.reencode import reencode
from histoseek.archive.space_folders import SpaceChange
from histoseek.encoders.pairing import pair_weights
from histoseek.encoders.text.registry import load_text_encoder, load_tower
from histoseek.encoders.weights import TextPart, Weights
from histoseek.errors import ConfigurationError, TooFewWords
from histoseek.search.regional.opening import open_region_measure
from histoseek.training.small_text import SmallTextSizes, learn_tokenizer, make_small_text_encoder
from tests.evaluation.archives import labelled_archive
from tests.weights import SMALL_FGCR, slide_tensors, small_weights

SIZES = SmallTextSizes(layers=2, heads=2, width=16, context_tokens=24)
FINDINGS = ("necrosis", "fibrosis", "calcification", "ulceration", "desmoplasia", "keratinisation")
REPORTS = tuple(
    f"{place % 7} pieces of {site} with {finding} and invasive carcinoma, no {other}. Dr. Zyxwolski, case 4711{place}"
    for place, (site, finding, other) in enumerate(
        (site, finding, other)
        for site in ("breast", "colon")
        for finding in FINDINGS
        for other in FINDINGS
        if finding != other
    )
)
PATIENTS = tuple(f"p{place}" for place in range(len(REPORTS)))
ONE_DOCTOR = tuple(text if place < 2 else text.replace("Zyxwolski", "who") for place, text in enumerate(REPORTS))


def _make(folder: Path, reports: tuple[str, ...] = ONE_DOCTOR, seed: int = 0) -> str:
    return make_small_text_encoder(folder, reports, PATIENTS, ("signet ring cells",), seed=seed, sizes=SIZES)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> str:
    return _make(tmp_path_factory.mktemp("small") / "text")


def _folder(spec: str) -> Path:
    return Path(spec.removeprefix("transformers@"))


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def _vocabulary(folder: Path) -> dict[str, int]:
    vocabulary: dict[str, int] = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    return vocabulary


def _tokens(spec: str, text: str) -> list[str]:
    pieces = {number: piece for piece, number in _vocabulary(_folder(spec)).items()}
    return [pieces[number] for number in load_tower(spec).tokens([text]).ids[0].tolist()]


def test_it_loads_and_encodes_as_any_text_encoder(made: str) -> None:
    encoder = load_text_encoder(made)
    assert (encoder.card.dimension, encoder.card.context_tokens, encoder.card.pooling) == (16, 24, "mean")
    vectors = encoder.encode(["necrosis", "signet ring cells", "a word that never occurred: xylophone"])
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(3), abs=1e-5)
    assert not np.allclose(vectors[0], vectors[1], atol=1e-3)


def test_words_of_the_reports_and_phrases_are_tokens(made: str) -> None:
    assert _tokens(made, "Signet-ring cells, NECROSIS.") == [
        *("[CLS]", "signet", "-", "ring", "cells", ",", "necrosis", ".", "[SEP]")
    ]


def test_unseen_words_numbers_and_characters_are_read(made: str) -> None:
    tokens = _tokens(made, "Xyloid n\u00e6vus, m\u00e9lan 47 \u00b5m")
    assert "[UNK]" not in tokens
    assert "".join(token.removeprefix("##") for token in tokens[1:-1]) == "xyloidn\u00e6vus,melan47\u00b5m"
    assert {"4", "7"} <= set(tokens), "numbers are read by digits"
    assert _tokens(made, "\u8840 \U0001f52c") == ["[CLS]", "[UNK]", "[UNK]", "[SEP]"]


def test_what_few_patients_reports_have_is_no_token(made: str, tmp_path: Path) -> None:
    vocabulary = _vocabulary(_folder(made))
    assert not [piece for piece in vocabulary if "zyx" in piece or "wolski" in piece]
    assert not [piece for piece in vocabulary if len(piece.removeprefix("##")) > 1 and any(map(str.isdigit, piece))]
    same_patient = make_small_text_encoder(tmp_path / "one", REPORTS, ("p0",) * 2 + PATIENTS[2:], sizes=SIZES)
    assert "zyxwolski" in _vocabulary(_folder(same_patient)), "what many patients' reports have is one"
    reports = tuple(text + " Zyxwolski" * 9 for text in ONE_DOCTOR[:2])
    twice = make_small_text_encoder(tmp_path / "two", (*ONE_DOCTOR, *reports), (*PATIENTS, "p0", "p1"), sizes=SIZES)
    assert not [piece for piece in _vocabulary(_folder(twice)) if "zyx" in piece], "often, but of two patients"


def test_the_same_reports_and_seed_give_the_same_bytes(made: str, tmp_path: Path) -> None:
    state = torch.get_rng_state()
    assert _contents(_folder(_make(tmp_path / "again"))) == _contents(_folder(made))
    other = _contents(_folder(_make(tmp_path / "other", seed=1)))
    assert torch.equal(state, torch.get_rng_state()), "others' random numbers stay theirs"
    assert other["model.safetensors"] != _contents(_folder(made))["model.safetensors"]
    assert other["tokenizer.json"] == _contents(_folder(made))["tokenizer.json"]


def test_word_pieces_are_the_same_in_every_process() -> None:
    words = {f"{first}{second}{third}": 3 for first in "abcdefgh" for second in "ijkl" for third in ("men", "mer")}
    code = f"from histoseek.training.small_text import *; print(learn_tokenizer({words}, 40).to_str())"
    other = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert other.stdout.strip() == learn_tokenizer(words, 40).to_str()


def test_a_folder_is_used_again_for_the_same_reports_only(made: str) -> None:
    folder = _folder(made)
    times = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert _make(folder) == made
    assert times == {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    with pytest.raises(ConfigurationError, match="is not empty"):
        _make(folder, REPORTS)


def test_it_stands_beside_another_text_encoder_in_a_pair(made: str, tmp_path: Path) -> None:
    minilm, tensors = small_weights(1, texts=True, name="one"), slide_tensors(SMALL_FGCR)
    projection = np.random.default_rng(0).standard_normal((SMALL_FGCR.dimension, SIZES.width)).astype(np.float32)
    tensors |= {"text_projection.weight": projection, "text_projection.bias": np.zeros(len(projection), np.float32)}
    card = small_weights(architecture=SMALL_FGCR).card
    own = Weights.from_tensors(replace(card, name="other", text=TextPart(made, SIZES.width)), tensors)
    reports = [f"Invasive carcinoma with {finding}." for finding in FINDINGS]
    archive = labelled_archive(tmp_path, [0, 1, 0, 1, 0, 1], list(range(6)), reports=reports)
    reencode(archive, SpaceChange(weights=pair_weights(minilm, own, "pair", 0.3), text_encoder=f"minilm + {made}"))
    assert archive.require_space().text_dimension == 384 + SIZES.width
    text = load_text_encoder(made).encode(["necrosis"])[0] @ projection.T
    measure = open_region_measure(archive, archive.store.snapshot())
    measured = measure.measure_regions("slide-000", measure.encode(["necrosis"])).similarities[0]
    anchors = archive.get("slide-000").signature.mosaic[4:, 32:].astype(np.float32)
    assert measured == pytest.approx(anchors @ text / np.linalg.norm(text), abs=1e-3)
    for query, to in (({"text": "necrosis"}, "slides"), ({"like": "slide-000"}, "reports")):
        results = archive.search(to=to, k=3, **query)  # type: ignore[arg-type]
        assert all("shared space" in {way.name for way in result.channels} for result in results)


def test_too_few_words_are_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(TooFewWords) as raised:
        make_small_text_encoder(tmp_path / "few", REPORTS, ("p0",) * len(REPORTS))
    assert (raised.value.words, raised.value.patients) == (0, 3)
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "few").exists()


def test_sizes_that_make_no_network_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="multiple of the heads"):
        SmallTextSizes(width=30, heads=4)
