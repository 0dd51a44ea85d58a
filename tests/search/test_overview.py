"""The 2-d map of an archive."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from histoseek.api import Archive
from histoseek.archive.reencode import reencode
from histoseek.archive.space_folders import SpaceChange
from histoseek.errors import ArchiveError, BadFilter, ConfigurationError, InputError
from histoseek.search.maps.overview import Overview
from tests.evaluation.archives import labelled_archive
from tests.evaluation.test_embedding_map import clusters, mapped
from tests.evaluation.test_embedding_map import places as map_places

SLIDES = 60


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """Sixty slides of three classes, one of which is rare."""
    labels = [2 if i % 20 == 7 else i % 2 for i in range(SLIDES)]
    return labelled_archive(tmp_path_factory.mktemp("map"), labels, list(range(SLIDES)), class_effect=1.5)


def places(found: Overview) -> np.ndarray:
    return np.stack([found.x, found.y], axis=1)


def test_slides_that_look_alike_lie_near_and_the_map_is_the_same_again(archive: Archive) -> None:
    found = archive.overview("diagnosis")
    assert found.slide_ids == tuple(sorted(one.slide_id for one in archive.records()))
    assert found.labels == tuple(str(one.diagnosis) for one in archive.records())
    assert (found.method, found.is_sample, found.slides) == ("umap", False, SLIDES)
    assert (found.x.dtype, found.x.shape) == (np.float32, (SLIDES,))
    gaps = np.linalg.norm(places(found)[:, None] - places(found)[None], axis=2)
    np.fill_diagonal(gaps, np.inf)
    same = [found.labels[i] == found.labels[j] for i, j in enumerate(gaps.argmin(axis=1))]
    assert np.mean(same) > 0.9
    again = Archive.open(archive.path).overview("diagnosis")
    assert np.array_equal(places(found), places(again))


def test_what_is_compiled_of_umap_is_kept_for_other_processes(archive: Archive) -> None:
    from umap import layouts, umap_

    archive.overview("diagnosis")
    functions = umap_.smooth_knn_dist, umap_.compute_membership_strengths
    for function in (*functions, layouts._nb_optimize_layout_euclidean_single_epoch):
        assert function.signatures
        assert function.stats.cache_path


def test_the_map_of_an_evaluation_keeps_clusters_apart_and_is_the_same_again() -> None:
    """Beside the other map, so that UMAP is compiled once for both."""
    vectors = clusters(40)
    found = mapped(vectors)
    assert found == mapped(vectors)
    where = map_places(found)
    one, other = where[::2], where[1::2]
    apart = np.linalg.norm(one.mean(0) - other.mean(0))
    spread = max(np.linalg.norm(group - group.mean(0), axis=1).max() for group in (one, other))
    assert apart > 2 * spread
    assert [point.slide_id for point in found.points] == [f"s{i}" for i in range(40)]


def test_a_large_archive_is_sampled_by_label(archive: Archive) -> None:
    found = archive.overview("diagnosis", most=20)
    assert (len(found.slide_ids), found.is_sample, found.slides) == (20, True, SLIDES)
    counts = Counter(found.labels)
    everything = Counter(one.diagnosis for one in archive.records())
    assert set(counts) == set(everything)
    for label, count in everything.items():
        assert abs(counts[str(label)] - count / 3) <= 1
    assert found.slide_ids == archive.overview("diagnosis", most=20).slide_ids
    assert found.slide_ids != archive.overview("diagnosis", most=20, seed=1).slide_ids
    assert set(archive.overview("diagnosis", most=3).labels) == set(everything)
    assert archive.overview(most=20).labels == ("",) * 20


def test_a_filter_leaves_slides_out(archive: Archive) -> None:
    found = archive.overview("site", "diagnosis = 'class 2'")
    assert (len(found.slide_ids), set(found.labels), found.method) == (3, {"site 0"}, "pca")
    nothing = archive.overview("site", "diagnosis = 'class 9'")
    assert (nothing.slide_ids, nothing.labels, nothing.slides) == ((), (), 0)
    with pytest.raises(BadFilter):
        archive.overview(where="nothing = 1")
    with pytest.raises(InputError, match="no such column"):
        archive.overview("uri")
    with pytest.raises(ConfigurationError, match="too few"):
        archive.overview(most=0)


def test_without_umap_there_are_principal_components(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "umap", None)
    found = archive.overview("diagnosis")
    assert found.method == "pca"
    vectors = archive.store.vectors(found.slide_ids, "global_vector").astype(np.float64)
    left, sizes, _ = np.linalg.svd(vectors - vectors.mean(0), full_matrices=False)
    assert np.allclose(np.abs(places(found)), np.abs((left * sizes)[:, :2]), atol=1e-4)


def test_the_content_s_version_changes_with_it(tmp_path: Path) -> None:
    archive = labelled_archive(tmp_path, [i % 2 for i in range(12)], list(range(12)), tiles=4)
    other = Archive.open(archive.path)
    seen = [archive.content_version]
    assert other.content_version == seen[0] == archive.overview().version
    archive.search(like="slide-001")
    assert archive.content_version == seen[0]
    archive.update("slide-001", {"organ": "lung"})
    seen.append(other.content_version)
    archive.remove(["slide-002"])
    seen.append(other.content_version)
    reencode(archive, SpaceChange(untrained=True))
    seen.append(other.content_version)
    assert len(set(seen)) == 4
    assert other.overview().version == seen[-1] == archive.content_version
    with pytest.raises(ArchiveError, match="empty"):
        _ = Archive.create(tmp_path / "empty").content_version
