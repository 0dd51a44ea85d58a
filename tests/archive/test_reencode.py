"""Re-encoding: another space from cached features, all or nothing, continued after a kill; report vectors kept true."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from histoseek.api import Archive
from histoseek.archive.reencode import reencode
from histoseek.archive.space_folders import SpaceChange
from histoseek.encoders.alignment import Affine, Alignment
from histoseek.encoders.bag import load_bag
from histoseek.encoders.recipe import Recipe
from histoseek.encoders.text.registry import load_text_encoder
from histoseek.errors import ArchiveError, DamagedArchive, SpaceMismatch, UnknownEncoder, UnusableBags, WeightsError
from histoseek.progress import Reporter
from histoseek.settings import get_settings
from tests.elsewhere import run_code
from tests.weights import small_weights, write_features, write_table

SLIDES = 70


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("original")
    archive = Archive.create(folder / "archive", Recipe(encoder="features:test"))
    rows: list[dict[str, object]] = [
        {"slide_id": f"slide-{i:02d}", "report": f"Report number {i % 5} on lesion {i % 3}."}
        for i in range(0, SLIDES, 2)
    ]
    features = write_features(folder / "features", SLIDES)
    assert archive.index([features], reports=write_table(folder / "reports.csv", rows)).added == SLIDES
    return archive.path


@pytest.fixture
def archive(original: Path, tmp_path: Path) -> Archive:
    return Archive.open(shutil.copytree(original, tmp_path / "archive"))


class Interrupted(Exception):
    pass


class StopsAfter:
    """A reporter that stops the work after some slides, as a kill would."""

    def __init__(self, slides: int) -> None:
        self.left = slides

    def advance(self, items: int = 1) -> None:
        self.left -= items
        if self.left < 0:
            raise Interrupted

    def expect(self, total: int) -> None:
        pass

    def note(self, text: str) -> None:
        pass

    @contextmanager
    def part(self, title: str, total: int) -> Iterator[Reporter]:
        yield self


def content(archive: Archive) -> dict[str, tuple[object, ...]]:
    return {
        s.record.slide_id: (
            s.record,
            s.signature.global_vector.tobytes(),
            s.signature.mosaic.tobytes(),
            s.signature.shares.tobytes(),
            *(None if v is None else v.tobytes() for v in (s.language.report_vector, s.language.shared_vector)),
        )
        for s in archive.store.get(archive.store.slides())
    }


def test_an_archive_moves_to_trained_weights(archive: Archive) -> None:
    before, weights = content(archive), small_weights(texts=True)
    report = reencode(archive, SpaceChange(weights=weights))
    assert (report.slides, report.continued) == (SLIDES, 0)
    space = archive.require_space()
    assert (space.slide_encoder, space.dimension, space.shared_dimension) == ("pathsearch-1-masked", 32, 32)
    assert (space.text_encoder, space.text_dimension, space.alignment) == ("minilm-1", 384, "projection")
    encoder = weights.build_slide_encoder()
    matrix, bias = weights.tensors["text_projection.weight"], weights.tensors["text_projection.bias"]
    texts = load_text_encoder("minilm")
    for stored in archive.store.get(archive.store.slides())[::9]:
        naive = encoder.encode(load_bag(archive.layout.bag(stored.record.slide_id)))
        assert np.array_equal(stored.signature.global_vector, naive.global_vector)
        assert np.array_equal(stored.signature.shares, np.array([part.share for part in naive.parts], np.float32))
        assert stored.signature.mosaic_tiles[0].coords.tolist() == naive.parts[0].coords.tolist()
        assert np.allclose(stored.language.shared_vector, naive.global_vector, atol=1e-6)
        assert stored.record == before[stored.record.slide_id][0]
        if stored.record.report:
            raw = texts.encode([stored.record.report])[0]
            shared = matrix @ raw + bias
            assert np.allclose(stored.language.report_vector, raw, atol=1e-6)
            assert np.allclose(stored.language.shared_report_vector, shared / np.linalg.norm(shared), atol=1e-5)
        else:
            assert stored.language.report_vector is None
            assert stored.language.shared_report_vector is None
    assert archive.verify().problems == ()
    assert content(Archive.open(archive.path)) == content(archive)


def test_new_slides_are_encoded_by_the_weights_in_use(archive: Archive, tmp_path: Path) -> None:
    weights = small_weights()
    reencode(archive, SpaceChange(weights=weights))
    more = write_features(tmp_path / "more", 3, seed=5)
    for file in more.iterdir():
        file.rename(more / f"new-{file.name}")
    assert Archive.open(archive.path).index([more]).added == 3
    stored = Archive.open(archive.path).get("new-slide-01")
    naive = weights.build_slide_encoder().encode(load_bag(archive.layout.bag("new-slide-01")))
    assert np.array_equal(stored.signature.global_vector, naive.global_vector)


def test_an_archive_can_begin_with_weights(tmp_path: Path) -> None:
    weights = small_weights(texts=True)
    archive = Archive.create(tmp_path / "new", Recipe(encoder="features:test"), weights=weights)
    archive.index([write_features(tmp_path / "features", 3)])
    assert archive.require_space().slide_weights == weights.card.fingerprint
    found = archive.search(text="any text", k=3)
    assert {way.name for result in found for way in result.channels} == {"shared space"}
    with pytest.raises(SpaceMismatch, match="tile encoder"):
        Archive.create(tmp_path / "other", Recipe(encoder="features:uni"), weights=weights)
    with pytest.raises(UnknownEncoder, match="bert"):
        Archive.create(tmp_path / "third", Recipe(encoder="features:test"), text_encoder="bert")
    assert not (tmp_path / "third").exists()


def test_the_centre_is_fitted_anew_on_all_slides(archive: Archive) -> None:
    reencode(archive, SpaceChange(untrained=True))
    records = archive.records()
    bags = [load_bag(archive.layout.bag(record.slide_id)) for record in records]
    centre = np.mean([bag.features.mean(0, dtype=np.float64) for bag in bags], axis=0)
    naive = (bags[3].features - centre).mean(0)
    assert np.allclose(
        archive.get(records[3].slide_id).signature.global_vector, naive / np.linalg.norm(naive), atol=1e-4
    )


def test_an_interrupted_run_is_continued_and_switches_only_when_complete(archive: Archive) -> None:
    before, weights = content(archive), small_weights()
    undisturbed = Path(shutil.copytree(archive.path, archive.path.with_name("undisturbed")))
    reencode(Archive.open(undisturbed), SpaceChange(weights=weights))
    for slides in (0, 33):
        with pytest.raises(Interrupted):
            reencode(archive, SpaceChange(weights=weights), StopsAfter(slides))
        assert content(Archive.open(archive.path)) == before
    report = reencode(archive, SpaceChange(weights=weights))
    assert 32 <= report.continued < SLIDES
    assert content(archive) == content(Archive.open(undisturbed))
    assert not archive.layout.target.exists()


def test_what_changed_between_the_runs_is_taken_in(archive: Archive) -> None:
    weights = small_weights()
    with pytest.raises(Interrupted):
        reencode(archive, SpaceChange(weights=weights), StopsAfter(40))
    archive.update("slide-00", {"diagnosis": "adenoma"})
    archive.remove(["slide-01"])
    assert reencode(archive, SpaceChange(weights=weights)).slides == SLIDES - 1
    assert archive.get("slide-00").record.diagnosis == "adenoma"
    assert "slide-01" not in archive.store.slides()


def test_another_target_begins_anew(archive: Archive) -> None:
    with pytest.raises(Interrupted):
        reencode(archive, SpaceChange(weights=small_weights(seed=1)), StopsAfter(40))
    weights = small_weights(seed=2)
    assert reencode(archive, SpaceChange(weights=weights)).continued == 0
    naive = weights.build_slide_encoder().encode(load_bag(archive.layout.bag("slide-05")))
    assert np.array_equal(archive.get("slide-05").signature.global_vector, naive.global_vector)


def test_a_killed_process_leaves_the_old_archive(archive: Archive) -> None:
    before = content(archive)
    script = (
        "import os, signal, sys\n"
        "from histoseek.api import Archive\n"
        "from histoseek.archive import reencode as module\n"
        "from histoseek.archive.space_folders import SpaceChange\n"
        "module.write_manifest = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "module.reencode(Archive.open(sys.argv[1]), SpaceChange(untrained=True))\n"
    )
    assert run_code(script, archive.path).returncode == -signal.SIGKILL
    assert content(Archive.open(archive.path)) == before
    assert reencode(archive, SpaceChange(untrained=True)).continued == SLIDES
    assert archive.verify().problems == ()


def test_missing_and_damaged_features_stop_the_switch(archive: Archive) -> None:
    before = content(archive)
    bag = archive.layout.bag("slide-07")
    good = bag.read_bytes()
    bag.write_bytes(good[:-4] + b"oops")
    with pytest.raises(UnusableBags, match="1 slides are missing or damaged: slide-07"):
        reencode(archive, SpaceChange(weights=small_weights()))
    bag.unlink()
    with pytest.raises(UnusableBags, match="slide-07"):
        reencode(archive, SpaceChange(weights=small_weights()))
    assert content(Archive.open(archive.path)) == before
    bag.write_bytes(good)
    assert reencode(archive, SpaceChange(weights=small_weights())).continued == SLIDES - 1


def test_weights_of_other_features_are_refused(archive: Archive, tmp_path: Path) -> None:
    weights = small_weights()
    other = replace(weights, card=replace(weights.card, features=replace(weights.card.features, tile_encoder="uni")))
    with pytest.raises(SpaceMismatch, match="tile encoder is test, here it is uni"):
        reencode(archive, SpaceChange(weights=other))
    wide = Archive.create(tmp_path / "wide", Recipe(encoder="features:test"))
    wide.index([write_features(tmp_path / "wider", 2, dimension=30)])
    with pytest.raises(SpaceMismatch, match="dimension is 24, here it is 30"):
        reencode(wide, SpaceChange(weights=weights))
    with pytest.raises(ArchiveError, match="is empty"):
        reencode(Archive.create(tmp_path / "empty"), SpaceChange(untrained=True))


def test_damaged_weights_in_the_archive_are_seen(archive: Archive) -> None:
    reencode(archive, SpaceChange(weights=small_weights()))
    data = archive.layout.weights.read_bytes()
    archive.layout.weights.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(WeightsError, match="checksum"):
        _ = Archive.open(archive.path).signer


def test_an_alignment_keeps_signatures_and_goes_with_its_space(archive: Archive) -> None:
    before = content(archive)
    matrix = np.random.default_rng(1).standard_normal((24, 384)).astype(np.float32)
    alignment = Alignment("ridge", Affine(matrix, np.ones(384, np.float32)), None)
    reencode(archive, SpaceChange(alignment=alignment))
    after = content(archive)
    assert {k: v[:5] for k, v in after.items()} == {k: v[:5] for k, v in before.items()}
    stored = archive.get("slide-03")
    naive = stored.signature.global_vector @ matrix + 1
    assert np.allclose(stored.language.shared_vector, naive / np.linalg.norm(naive), atol=1e-5)
    archive.layout.alignment.write_bytes(archive.layout.alignment.read_bytes()[:-8] + b"\0" * 8)
    with pytest.raises(DamagedArchive, match="hash differs"):
        Archive.open(archive.path).search(text="lesion")
    report = reencode(archive, SpaceChange(untrained=True))
    assert any("align" in note for note in report.notes)
    assert not archive.require_space().has_alignment


def test_the_text_encoder_can_be_taken_away_and_given_back(archive: Archive) -> None:
    reencode(archive, SpaceChange(text_encoder="none"))
    assert not archive.require_space().has_texts
    assert archive.get("slide-00").language.report_vector is None
    reencode(archive, SpaceChange(text_encoder="minilm"))
    raw = load_text_encoder("minilm").encode([str(archive.get("slide-00").record.report)])[0]
    assert np.allclose(archive.get("slide-00").language.report_vector, raw, atol=1e-6)


def test_report_vectors_follow_their_reports(archive: Archive, original: Path, tmp_path: Path) -> None:
    encoder = load_text_encoder("minilm")

    def follows(slide_id: str, report: str) -> bool:
        stored = Archive.open(archive.path).get(slide_id)
        wanted = encoder.encode([report])[0]
        return stored.record.report == report and np.allclose(stored.language.report_vector, wanted, atol=1e-6)

    assert follows("slide-02", "Report number 2 on lesion 2.")
    table = write_table(tmp_path / "new.csv", [{"slide_id": "slide-02", "report": "A new report."}])
    archive.index([original.parent / "features"], reports=table)
    assert follows("slide-02", "A new report.")
    archive.update("slide-02", {"report": "Corrected."})
    assert follows("slide-02", "Corrected.")
    archive.update("slide-02", {"report": None})
    assert Archive.open(archive.path).get("slide-02").language.report_vector is None


def test_old_spaces_go_when_no_reader_can_need_them(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = Archive.open(archive.path)
    snapshot = reader.store.snapshot()
    reencode(archive, SpaceChange(untrained=True))
    assert len(snapshot.slides()) == SLIDES
    assert sorted(p.name for p in archive.layout.spaces.iterdir()) == ["0001", "0002"]
    found = reader.search(like="slide-00", k=1)
    assert reader.manifest.number == 2
    assert len(found) == 1
    get_settings.cache_clear()
    monkeypatch.setenv("HISTOSEEK_HISTORY_MINUTES", "0")
    reencode(archive, SpaceChange(untrained=True))
    assert [p.name for p in archive.layout.spaces.iterdir()] == ["0003"]
    get_settings.cache_clear()
