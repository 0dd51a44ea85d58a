"""Laws of the split and of bag sampling."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoseek.errors import BadTable, ConfigurationError, InputError
from histoseek.training.pairs import TrainingPair
from histoseek.training.slides.data.loader import BagLoader, cut_bags
from histoseek.training.slides.data.sampling import CLUSTERS, TileClusters, cluster_tiles, quotas, sample_tiles
from histoseek.training.split import Shares, split_pairs
from histoseek.training.split_table import apply_split, format_split
from tests.training.helpers import write_pairs


def _pairs(patients: list[int]) -> list[TrainingPair]:
    return [TrainingPair(f"s{i}", f"s{i}", f"p{patient}", "text", Path("none")) for i, patient in enumerate(patients)]


@settings(max_examples=60)
@given(st.lists(st.integers(0, 40), min_size=3, max_size=80), st.integers(0, 99), st.randoms())
def test_parts_share_no_patient_and_hold_every_pair_once(patients: list[int], seed: int, random: object) -> None:
    pairs = _pairs(patients)
    if len(set(patients)) < 3:
        with pytest.raises(InputError, match="share none"):
            split_pairs(pairs, seed, Shares())
        return
    split = split_pairs(pairs, seed, Shares())
    parts = (split.train, split.validation, split.test)
    assert sorted(pair.slide_id for part in parts for pair in part) == sorted(pair.slide_id for pair in pairs)
    names = [{pair.patient_id for pair in part} for part in parts]
    assert all(names) and sum(map(len, names)) == len(set(patients))
    shuffled = list(pairs)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    again = split_pairs(shuffled, seed, Shares())
    assert {pair.slide_id for pair in again.test} == {pair.slide_id for pair in split.test}


def test_shares_are_kept_and_seeds_differ() -> None:
    pairs = _pairs(list(range(200)))
    split = split_pairs(pairs, 1, Shares(0.6, 0.25, 0.15))
    assert (len(split.train), len(split.validation), len(split.test)) == (120, 50, 30)
    assert split.test != split_pairs(pairs, 2, Shares(0.6, 0.25, 0.15)).test


@settings(max_examples=40)
@given(st.lists(st.integers(0, 40), min_size=3, max_size=80), st.integers(0, 99))
def test_a_split_that_was_written_is_read_back(patients: list[int], seed: int) -> None:
    pairs = _pairs(patients)
    if len(set(patients)) < 3:
        return
    split = split_pairs(pairs, seed, Shares())
    with TemporaryDirectory() as folder:
        table = Path(folder) / "split.csv"
        table.write_text(format_split(split))
        assert apply_split(pairs, table) == split


def test_parts_may_be_given_by_patient_and_wrong_tables_are_refused(tmp_path: Path) -> None:
    pairs, table = _pairs([0, 0, 1, 2]), tmp_path / "split.csv"
    table.write_text("patient_id;part\np0;train\n p1 ;Validation\np2;test\nunknown;test\n")
    split = apply_split(pairs, table)
    assert [len(part) for part in (split.train, split.validation, split.test)] == [2, 1, 1]
    for text, reason in (
        ("slide_id,part\ns0,train\n", "3 slides with a report have no part in it .s1, s2, s3."),
        ("slide_id,part\ns0,train\ns1,test\ns2,test\ns3,validation\n", "the patient of slide s1 is in train and test"),
        ("patient_id,part\np0,train\np1,train\np2,test\n", "puts no slide with a report into validation"),
        ("patient_id,part\np0,train\np0,test\n", "line 3: a patient has another part than before"),
        ("patient_id,part\np0,teach\n", "line 2: 'teach' is not a part"),
        ("patient_id,role\np0,train\n", "has no columns part and slide_id"),
        ("", "has no columns part and slide_id"),
    ):
        table.write_text(text)
        with pytest.raises(BadTable, match=reason):
            apply_split(pairs, table)
    with pytest.raises(BadTable, match="cannot be read"):
        apply_split(pairs, tmp_path / "none.csv")


@pytest.mark.parametrize("shares", [(0.5, 0.5, 0.0), (0.7, 0.2, 0.2)])
def test_shares_that_are_none_are_refused(shares: tuple[float, float, float]) -> None:
    with pytest.raises(ConfigurationError):
        Shares(*shares)


@settings(max_examples=60)
@given(st.lists(st.integers(1, 300), min_size=1, max_size=CLUSTERS), st.data())
def test_quotas_fill_up_without_exceeding_any_cluster(sizes: list[int], data: st.DataObject) -> None:
    count = sum(sizes)
    if count <= len(sizes):
        return
    total = data.draw(st.integers(len(sizes), count - 1))
    found = quotas(np.array(sizes), total)
    assert found.sum() == total and (found >= 1).all() and (found <= sizes).all()
    fair = 1 + (total - len(sizes)) * (np.array(sizes) - 1) / (count - len(sizes))
    assert (abs(found - fair) < 1).all()


@settings(max_examples=25)
@given(st.integers(1, 400), st.integers(CLUSTERS, 128), st.integers(0, 5), st.integers(0, 9))
def test_samples_hold_each_tile_once_and_some_of_every_cluster(count: int, tiles: int, seed: int, draw: int) -> None:
    features = np.random.default_rng(count).standard_normal((count, 6)).astype(np.float32)
    clusters = cluster_tiles(features, "slide", seed)
    chosen = sample_tiles(clusters, tiles, "slide", seed, draw)
    assert len(chosen) == min(tiles, count) == len(set(chosen.tolist()))
    assert (np.diff(chosen) > 0).all()
    label = np.empty(count, np.int64)
    label[clusters.order] = np.repeat(np.arange(len(clusters.sizes)), clusters.sizes)
    got = np.bincount(label[chosen], minlength=len(clusters.sizes))
    assert (got >= 1).all()
    if count > tiles:
        assert np.array_equal(got, quotas(clusters.sizes, tiles))
    assert np.array_equal(chosen, sample_tiles(cluster_tiles(features, "slide", seed), tiles, "slide", seed, draw))


def test_the_typical_half_stays_and_the_other_half_changes() -> None:
    clusters = TileClusters(np.arange(1000, dtype=np.int32), np.array([0, 600, 1000]))
    draws = [set(sample_tiles(clusters, 100, "slide", 0, draw).tolist()) for draw in range(1, 4)]
    first, second = quotas(clusters.sizes, 100)
    typical = set(range(first - first // 2)) | set(range(600, 600 + second - second // 2))
    assert all(typical <= chosen for chosen in draws)
    assert draws[0] & draws[1] < draws[0] and draws[0] != draws[2]
    assert draws[0] != set(sample_tiles(clusters, 100, "other slide", 0, 1).tolist())


def test_batches_do_not_depend_on_order_threads_or_memory(tmp_path: Path) -> None:
    pairs = write_pairs(tmp_path, patients=4, tiles=40) + write_pairs(tmp_path, patients=1, tiles=5, prefix="t")
    found = []
    for threads, memory, order in ((1, 0, pairs), (3, 2**20, pairs[::-1])):
        with BagLoader(32, 7, memory, threads) as loader:
            for _ in range(2):
                batch = loader.batch(order, 3)
                found.append({pair.slide_id: cut_bags(batch, slice(i, i + 1)) for i, pair in enumerate(order)})
    for pair in pairs:
        first, *others = (batch[pair.slide_id] for batch in found)
        assert first.features.shape[1] == (32 if pair.slide_id.startswith("s") else 5)
        for other in others:
            assert first.features.equal(other.features) and first.cells.equal(other.cells)
            assert first.mask.equal(other.mask) and first.mask.all()


def test_batches_read_ahead_come_in_order(tmp_path: Path) -> None:
    pairs = write_pairs(tmp_path, patients=7)
    chunks = [pairs[:3], pairs[3:6], pairs[6:]]
    with BagLoader(16, 0, 0, 2) as loader:
        for chunk, bags in zip(chunks, loader.batches(chunks, 1), strict=True):
            assert bags.features.equal(loader.batch(chunk, 1).features)
        assert list(loader.batches([], 1)) == []


def test_small_bags_are_padded_with_a_mask_and_not_duplicated(tmp_path: Path) -> None:
    pairs = write_pairs(tmp_path, patients=1, tiles=40) + write_pairs(tmp_path, patients=1, tiles=5, prefix="t")
    with BagLoader(32, 0, 0, 1) as loader:
        batch = loader.batch(pairs, 1)
    assert batch.mask.sum(1).tolist() == [32, 5] and batch.features.shape == (2, 32, 24)
    assert not batch.features[1, 5:].any()
    assert len(batch.features[1, :5].unique(dim=0)) == 5
    assert len(batch.cells[0].unique(dim=0)) == 32


def test_features_of_another_dimension_are_refused(tmp_path: Path) -> None:
    import torch

    pairs = write_pairs(tmp_path, patients=1)
    torch.save(torch.ones(4, 9), tmp_path / "odd.pt")
    odd = TrainingPair("odd", "odd", "odd", "text", tmp_path / "odd.pt")
    with BagLoader(32, 0, 0, 1) as loader:
        assert loader.dimension(pairs[0]) == 24
        with pytest.raises(InputError, match="dimension 9, the others have 24"):
            loader.batch([*pairs, odd], 1)
