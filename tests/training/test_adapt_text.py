"""Adapting a text encoder: a real loop on a tiny transformer, and what its draws may and may not say."""

from __future__ import annotations

import csv
import json
import math
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis.strategies import integers, sampled_from
from typer.testing import CliRunner

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from histoseek.cli.app import app  # noqa: E402
from histoseek.encoders.devices import import_transformers  # noqa: E402
from histoseek.encoders.text.registry import load_text_encoder, load_tower  # noqa: E402
from histoseek.errors import ConfigurationError, EncoderError, HistoseekError, InputError, MissingExtra  # noqa: E402
from histoseek.progress import SilentReporter  # noqa: E402
from histoseek.reports.concepts.vocabulary import load_vocabulary  # noqa: E402
from histoseek.reports.files.document import Report, ReportPart, ReportSource  # noqa: E402
from histoseek.training.text.adapt import Adaptation, adapt  # noqa: E402
from histoseek.training.text.corpus import Corpus, build_corpus, split_corpus  # noqa: E402
from histoseek.training.text.draws import Draw, Drawer  # noqa: E402
from histoseek.training.text.facts import list_facts, opposes, read_passage  # noqa: E402
from histoseek.training.text.folder import CARD, save_adaptation  # noqa: E402
from histoseek.training.text.opposites import affirm, change_grade, deny, find_opposite, find_siblings  # noqa: E402
from histoseek.training.text.paraphrase import paraphrase_sentences  # noqa: E402
from histoseek.training.text.settings import AdaptSettings  # noqa: E402
from histoseek.training.text.task import find_negatives, list_passages, masked_info_nce  # noqa: E402

transformers = import_transformers()

VOCABULARY = load_vocabulary()
SETTINGS = AdaptSettings(
    epochs=6, batch=8, layers=2, learning_rate=3e-3, temperature=0.1, statements=0.5, blend=1.0, patience=2,
    seed=5, device="cpu", checkpoint_steps=2,
)  # fmt: skip
TEXTS = tuple(
    f"{specimen};\n  1. {diagnosis}, grade {grade}\n  2. Necrosis: {necrosis}"
    for (specimen, diagnosis), grade, necrosis in product(
        (
            ("Breast, core-needle biopsy", "Invasive lobular carcinoma"),
            ("Breast, excision", "Ductal carcinoma in situ"),
            ("Kidney, nephrectomy", "Papillary renal cell carcinoma"),
            ("Lung, biopsy", "Squamous cell carcinoma"),
            ("Stomach, endoscopic biopsy", "Tubular adenocarcinoma"),
        ),
        ("I", "II", "III"),
        ("Present", "Absent"),
    )
)


def reports(texts: tuple[str, ...] = TEXTS) -> list[Report]:
    source = ReportSource(Path("reports.csv"))
    return [
        Report(f"r{place}", (), (), f"case {place}", None, (ReportPart("report", text),), source)
        for place, text in enumerate(texts)
    ]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tiny BERT that spells all words with letters but for those of the texts."""
    folder = tmp_path_factory.mktemp("base")
    torch.manual_seed(0)
    words = sorted({word for text in TEXTS for word in re.findall(r"[a-z]+", text.lower())})
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    pieces = [*letters, *(f"##{letter}" for letter in letters), *",.;:()-+", *(word for word in words if len(word) > 1)]
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *pieces]
    (folder / "vocab.txt").write_text("\n".join(tokens) + "\n")
    transformers.BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    config = transformers.BertConfig(
        vocab_size=len(tokens), hidden_size=16, num_hidden_layers=2, num_attention_heads=4, intermediate_size=32,
        max_position_embeddings=160, initializer_range=0.2,
    )  # fmt: skip
    transformers.BertModel(config).save_pretrained(folder)
    return f"transformers@{folder}"


class Interrupting(SilentReporter):
    """Presses Ctrl-C after so many steps."""

    def __init__(self, after: int) -> None:
        self._left = after

    def advance(self, items: int = 1) -> None:
        if items == 1:
            self._left -= 1
            if self._left == 0:
                raise KeyboardInterrupt


def adapted(
    base: str, work: Path, settings: AdaptSettings = SETTINGS, reporter: SilentReporter | None = None
) -> Adaptation:
    return adapt(reports(), base, settings, VOCABULARY, work, reporter or SilentReporter())


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where `whole` kept its training. Not to be changed."""
    return tmp_path_factory.mktemp("whole") / "work"


@pytest.fixture(scope="module")
def whole(base: str, finished: Path) -> Adaptation:
    """An adaptation that ran through. Not to be changed."""
    return adapted(base, finished)


def test_losses_fall(whole: Adaptation) -> None:
    first, last = whole.epochs[0], whole.epochs[-1]
    assert last.validation_loss < first.validation_loss
    assert last.train_loss is not None and whole.epochs[1].train_loss is not None
    assert last.train_loss < whole.epochs[1].train_loss
    assert whole.best_epoch == int(np.argmin([epoch.validation_loss for epoch in whole.epochs]))


@pytest.mark.parametrize("after", [3, 13])
def test_interrupted_and_resumed_equals_uninterrupted(whole: Adaptation, base: str, tmp_path: Path, after: int) -> None:
    with pytest.raises(KeyboardInterrupt):
        adapted(base, tmp_path, reporter=Interrupting(after))
    resumed = adapted(base, tmp_path)
    expected, found = whole.tower.state_dict(), resumed.tower.state_dict()
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    losses = [(row.train_loss, row.validation_loss) for row in whole.epochs]
    assert [(row.train_loss, row.validation_loss) for row in resumed.epochs] == losses


def test_folder_loads_as_any_encoder_does(whole: Adaptation, base: str, tmp_path: Path) -> None:
    card = save_adaptation(whole, tmp_path / "mine", files_sha256=("00",), data="made up", licence="none")
    encoder = load_text_encoder(card.load_with)
    texts = ["papillary renal cell carcinoma", "no necrosis", TEXTS[0]]
    with torch.inference_mode():
        expected = whole.tower(whole.tower.tokens(texts)).numpy()
    np.testing.assert_allclose(encoder.encode(texts), expected, atol=1e-6)
    assert np.abs(encoder.encode(texts) - load_text_encoder(base).encode(texts)).max() > 1e-3
    assert encoder.weights_hash == card.weights != card.base_weights
    assert not [path for path in (tmp_path / "mine").iterdir() if path.suffix in (".bin", ".pt", ".pkl")]


def test_card_has_counts_and_hashes_but_no_text(whole: Adaptation, tmp_path: Path) -> None:
    save_adaptation(whole, tmp_path / "mine", files_sha256=("00",), data="made up", licence="none")
    written = (tmp_path / "mine" / CARD).read_text()
    card = json.loads(written)
    assert card["reports"] == len(TEXTS) == card["train"]["texts"] + card["validation"]["texts"]
    assert re.fullmatch(r"[0-9a-f]{64}", card["texts_sha256"])
    assert not any(word in written.lower() for word in ("carcinoma", "biopsy", "necrosis", "case 1"))


def test_blend_lies_on_the_line_between_before_and_after(
    whole: Adaptation, finished: Path, base: str, tmp_path: Path
) -> None:
    # The second run takes up the first one's training, which two runs need not repeat to the last bit.
    after = whole.tower.state_dict()
    work = Path(shutil.copytree(finished, tmp_path / "work"))
    half = adapted(base, work, replace(SETTINGS, blend=0.5)).tower.state_dict()
    before = load_tower(base).state_dict()
    for name, value in half.items():
        torch.testing.assert_close(value, (before[name] + after[name]) / 2)


def test_only_the_last_layers_change(base: str, tmp_path: Path) -> None:
    found = adapted(base, tmp_path, replace(SETTINGS, layers=1, epochs=6, patience=6)).tower.state_dict()
    before = load_tower(base).state_dict()
    changed = {name for name, value in found.items() if not torch.equal(value, before[name])}
    assert changed and all(".layer.1." in name for name in changed)


def test_without_gain_the_weights_stay_and_a_note_says_so(base: str, tmp_path: Path) -> None:
    found = adapted(base, tmp_path, replace(SETTINGS, learning_rate=1e-30, epochs=5, patience=1))
    assert (found.best_epoch, len(found.epochs)) == (0, 2)
    assert any("those of the plain encoder" in note for note in found.notes)
    before = load_tower(base).state_dict()
    assert all(torch.equal(value, before[name]) for name, value in found.tower.state_dict().items())


def test_identifiers_are_replaced_before_anything_is_learnt() -> None:
    texts = tuple(f"Patient name: Maria Kowalski\nMRN: 4471{place}02\n{text}" for place, text in enumerate(TEXTS))
    corpus = build_corpus(reports(texts), VOCABULARY)
    assert {one.kind: one.count for one in corpus.replaced}["name"] >= len(TEXTS)
    drawer = Drawer(corpus.texts, VOCABULARY, 0.0, 0)
    for place in range(len(drawer)):
        draw = drawer.draw(place, 1)
        assert draw is None or not any("Kowalski" in one.text for one in list_passages([draw]))


@pytest.fixture(scope="module")
def real_drawer(shared_data: Path) -> Drawer:
    rows = json.loads((shared_data / "reports" / "reg2025_reports.json").read_text())
    with (shared_data / "reports" / "patchgastric_captions.csv").open() as file:
        texts = (
            sorted({row["report"] for row in rows})[::4] + sorted({row["text"] for row in csv.DictReader(file)})[::4]
        )
    return Drawer(build_corpus(reports(tuple(texts)), VOCABULARY).texts, VOCABULARY, 1.0, 0)


def check_draw(draw: Draw) -> None:
    """What holds of any draw, by definitions written out here."""
    anchor, positive = draw.anchor, draw.positive
    assert anchor.key != positive.key
    if draw.kind in ("paraphrase", "facts") and anchor.facts == anchor.source_facts:
        assert positive.facts <= anchor.facts
    if draw.kind == "statement":
        assert anchor.facts == positive.facts
    if draw.kind == "query":
        assert anchor.facts <= anchor.source_facts | positive.source_facts
    for negative in draw.negatives:
        assert negative.key not in (anchor.key,)
        assert negative.facts - anchor.source_facts
        assert anchor.facts - negative.source_facts


def test_draws_of_real_reports_never_contradict_themselves(real_drawer: Drawer) -> None:
    drawn = [real_drawer.draw(place, 1) for place in range(0, len(real_drawer), 2)]
    draws = [draw for draw in drawn if draw is not None]
    for draw in draws:
        check_draw(draw)
    assert len(draws) > 0.95 * len(drawn)
    assert {draw.kind for draw in draws} == {"parts", "paraphrase", "facts", "query", "statement"}
    assert sum(bool(draw.negatives) for draw in draws) > len(draws) / 2


def test_in_a_batch_no_positive_and_no_equal_text_is_a_negative(real_drawer: Drawer) -> None:
    draws = [draw for place in range(0, 400, 5) if (draw := real_drawer.draw(place, 2)) is not None]
    seen = list_passages(draws)
    allowed = find_negatives(seen[: len(draws)], seen[len(draws) :])
    for row, draw in enumerate(draws):
        for column, candidate in enumerate(seen[len(draws) :]):
            if allowed[row, column]:
                assert candidate.key != draw.anchor.key
                assert candidate.facts - draw.anchor.source_facts
    assert 0.3 < float(allowed.float().mean()) < 1


@hypothesis_settings(max_examples=40)
@given(text=sampled_from(TEXTS), other=sampled_from(TEXTS), seed=integers(0, 2**32))
def test_paraphrases_agree_and_opposites_oppose(text: str, other: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    whole, another = read_passage(text, VOCABULARY), read_passage(other, VOCABULARY)
    assert opposes(whole, another) == opposes(another, whole)
    assert not opposes(whole, whole)
    said = paraphrase_sentences(text.split("\n"), rng, VOCABULARY)
    assert list_facts(said, VOCABULARY) == whole.facts
    made = find_opposite(whole, rng, VOCABULARY)
    assert made is None or (opposes(made, whole) and made.text != text)


@cache
def plain_corpus() -> Corpus:
    return build_corpus(reports(), VOCABULARY)


@hypothesis_settings(max_examples=30)
@given(seed=integers(0, 2**32), epoch=integers(0, 100))
def test_draws_depend_on_seed_epoch_and_place_only(seed: int, epoch: int) -> None:
    texts = plain_corpus().texts
    one, again = (Drawer(texts, VOCABULARY, 1.0, seed) for _ in range(2))
    place = seed % len(one)
    assert one.draw(place, epoch) == again.draw(place, epoch)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Necrosis: Present", "Necrosis: absent"),
        ("necrosis is seen", "necrosis is not seen"),
        ("Lung with necrosis.", r"Lung with (no|no evidence of|absence of|negative for) necrosis\."),
    ],
)
def test_denied(text: str, expected: str) -> None:
    made = deny(text, np.random.default_rng(0), VOCABULARY)
    assert re.fullmatch(expected, made)
    assert "-necrosis" in list_facts(made, VOCABULARY) and "+necrosis" in list_facts(text, VOCABULARY)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Necrosis: Absent", "Necrosis: present"),
        ("necrosis is not seen", "necrosis is present"),
        ("Lung without necrosis.", "Lung necrosis."),
    ],
)
def test_affirmed(text: str, expected: str) -> None:
    assert affirm(text, np.random.default_rng(0), VOCABULARY) == expected
    assert "-necrosis" in list_facts(text, VOCABULARY) and "+necrosis" in list_facts(expected, VOCABULARY)


def test_other_grades() -> None:
    rng = np.random.default_rng(1)
    assert change_grade("carcinoma, grade II", rng, VOCABULARY) in ("carcinoma, grade I", "carcinoma, grade III")
    sums = {change_grade("Gleason score 7 (3+4)", rng, VOCABULARY) for _ in range(20)}
    assert sums == {"Gleason score 8 (4+4)", "Gleason score 9 (5+4)"}
    assert "invasive-lobular-carcinoma" in find_siblings("invasive-carcinoma-nst", VOCABULARY)


def test_more_specific_texts_do_not_oppose_what_they_entail() -> None:
    specific = read_passage("papillary renal cell carcinoma, no necrosis", VOCABULARY)
    assert not opposes(read_passage("renal cell carcinoma", VOCABULARY), specific)
    assert opposes(read_passage("necrosis", VOCABULARY), specific)
    assert not opposes(read_passage("Thank you for sending this.", VOCABULARY), specific)


def test_loss_against_a_naive_computation() -> None:
    rng = np.random.default_rng(0)
    anchors, candidates = (
        rows / np.linalg.norm(rows, axis=1, keepdims=True)
        for rows in (rng.normal(size=(4, 6)), rng.normal(size=(7, 6)))
    )
    allowed = rng.random((4, 7)) < 0.5
    total = 0.0
    for i in range(4):
        own = math.exp(anchors[i] @ candidates[i] / 0.1)
        others = sum(math.exp(anchors[i] @ candidates[j] / 0.1) for j in range(7) if j != i and allowed[i, j])
        total -= math.log(own / (own + others)) / 4
    given_rows = [torch.from_numpy(rows) for rows in (anchors, candidates, allowed)]
    assert float(masked_info_nce(*given_rows, 0.1)) == pytest.approx(total, rel=1e-5)


def test_split_shares_neither_case_nor_text() -> None:
    chained = [
        replace(report, case_id=f"case {place // 3}", parts=(ReportPart("report", TEXTS[(place * 7) % len(TEXTS)]),))
        for place, report in enumerate(reports(TEXTS * 2))
    ]
    corpus = build_corpus(chained, VOCABULARY)
    groups = {text.whole.text: text.group for text in corpus.texts}
    for one, other in product(chained, chained):
        if one.case_id == other.case_id:
            assert groups[one.text] == groups[other.text]
    plain = build_corpus(reports(), VOCABULARY)
    split = split_corpus(plain, 0.3, 0)
    assert {text.group for text in split.train}.isdisjoint(text.group for text in split.validation)
    assert len(split.train) + len(split.validation) == len(plain.texts)
    assert split_corpus(build_corpus(reports()[::-1], VOCABULARY), 0.3, 0).validation == split.validation


@contextmanager
def refused(kind: type[HistoseekError], match: str) -> Iterator[None]:
    with pytest.raises(kind, match=match):
        yield


def test_too_little_to_learn_from(base: str, tmp_path: Path) -> None:
    for few in ((), TEXTS[:1], TEXTS[:1] * 50):
        with refused(InputError, "too few to learn from"):
            adapt(reports(few), base, SETTINGS, VOCABULARY, tmp_path, SilentReporter())
    one_case = [replace(report, case_id="the same") for report in reports()]
    with refused(InputError, "one case"):
        adapt(one_case, base, SETTINGS, VOCABULARY, tmp_path, SilentReporter())


def test_checkpoints_of_another_adaptation_or_damaged_ones_are_refused(base: str, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        adapted(base, tmp_path, reporter=Interrupting(1))
    with refused(ConfigurationError, "other settings"):
        adapted(base, tmp_path, replace(SETTINGS, learning_rate=1e-3))
    with refused(ConfigurationError, "other texts"):
        adapt(reports(TEXTS[:-1]), base, SETTINGS, VOCABULARY, tmp_path, SilentReporter())
    checkpoint = tmp_path / "checkpoint.pt"
    data = bytearray(checkpoint.read_bytes())
    data[len(data) // 2] ^= 1
    checkpoint.write_bytes(data)
    with refused(EncoderError, "not a readable checkpoint"):
        adapted(base, tmp_path)


@pytest.mark.parametrize(
    "wrong", [{"epochs": 0}, {"batch": 1}, {"blend": 0}, {"temperature": 0}, {"layers": 0}, {"validation": 1}]
)
def test_settings_that_cannot_be(wrong: dict[str, float]) -> None:
    with refused(ConfigurationError, next(iter(wrong))):
        replace(SETTINGS, **wrong)  # type: ignore[arg-type]


def test_more_layers_than_there_are(base: str, tmp_path: Path) -> None:
    with refused(ConfigurationError, "3 layers asked for"):
        adapted(base, tmp_path, replace(SETTINGS, layers=3))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "reports.csv"
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["case_id", "report"])
        rows.writerows([f"case {place}", text] for place, text in enumerate(TEXTS))
    return path


def test_command_line(base: str, table: Path, tmp_path: Path) -> None:
    given_options = ["adapt-text", "--reports", str(table), "--out", str(tmp_path / "mine"), "--text-encoder", base]
    small = ["--epochs", "1", "--batch", "8", "--layers", "1", "--device", "cpu"]
    done = CliRunner().invoke(app, [*given_options, *small, "--json"], catch_exceptions=False)
    assert done.exit_code == 0
    card = json.loads(done.stdout)["card"]
    assert card["load_with"] == f"transformers@{tmp_path / 'mine'}"
    assert load_text_encoder(card["load_with"]).weights_hash == card["weights"]
    with refused(ConfigurationError, "is not empty"):
        CliRunner().invoke(app, [*given_options, *small], catch_exceptions=False)


def test_command_line_with_nothing_to_read(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with refused(InputError, "."):
        CliRunner().invoke(
            app,
            ["adapt-text", "--reports", str(tmp_path / "empty"), "--out", str(tmp_path / "x")],
            catch_exceptions=False,
        )


def test_missing_packages_are_named(table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with refused(MissingExtra, r"histoseek\[train\]"):
        CliRunner().invoke(
            app, ["adapt-text", "--reports", str(table), "--out", str(tmp_path / "mine")], catch_exceptions=False
        )
    assert not (tmp_path / "mine.training").exists()
