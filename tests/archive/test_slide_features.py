"""Archives whose slides' vectors another tool made: `--slide-features`."""

from __future__ import annotations

import os
import pickle
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path, PurePath

import h5py
import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from histoseek.api import Archive
from histoseek.archive.indexing.ingest import IndexReport
from histoseek.archive.indexing.slide_vectors import name_stated_encoder
from histoseek.archive.reencode import reencode
from histoseek.archive.space_folders import SpaceChange
from histoseek.archive.verification.verify import verify
from histoseek.cli.app import app
from histoseek.encoders.embedding_space import EmbeddingSpace
from histoseek.encoders.features.confined import load_slide_features
from histoseek.encoders.features.slide_features import read_slide_features
from histoseek.encoders.recipe import Recipe
from histoseek.errors import (
    BadFeatureFile,
    ConfigurationError,
    InputError,
    MissingSlideFeature,
    SlideNotFound,
    SpaceMismatch,
)
from histoseek.evaluation.evaluate import evaluate
from histoseek.evaluation.settings import EvaluationSpec
from histoseek.search.queries import Region, SlideFile
from tests.evaluation.archives import labelled_archive

COUNT, FEATURES, WIDTH = 20, 24, 40
RECIPE = Recipe(encoder="features:test")


def vector(number: int) -> np.ndarray:
    return np.random.default_rng(100 + number).standard_normal(WIDTH).astype(np.float32)


def write_h5(path: Path, value: np.ndarray, name: str = "features", encoder: str | None = None) -> None:
    with h5py.File(path, "w") as file:
        file[name] = value
        file["coords"] = np.zeros((0, 2))
        if encoder:
            file[name].attrs["encoder"] = encoder


def write_all(folder: Path, left_out: tuple[int, ...] = ()) -> Path:
    """As TRIDENT writes them: a file a slide, [D], in a folder that names the encoder."""
    folder = folder / "slide_features_titan"
    folder.mkdir(parents=True)
    for number in set(range(COUNT)) - set(left_out):
        write_h5(folder / f"slide-{number:03d}.h5", vector(number))
    return folder


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    folder = tmp_path_factory.mktemp("untrained")
    return labelled_archive(folder, [i % 2 for i in range(COUNT)], [i // 2 for i in range(COUNT)])


def make_archive(folder: Path, untrained: Archive, vectors: Path) -> tuple[Archive, IndexReport]:
    archive = Archive.create(folder / "archive", RECIPE, text_encoder="none", slide_encoder="titan")
    tables = untrained.path.parent
    report = archive.index([tables / "features"], tables / "slides.csv", slide_features=vectors, trust=True)
    assert report.added + len(report.refused) == COUNT
    return archive, report


def test_slides_are_found_by_vectors_that_another_tool_made(tmp_path: Path, untrained: Archive) -> None:
    vectors = write_all(tmp_path, left_out=(7,))
    assert name_stated_encoder(vectors, trust=True) == "titan"
    write_h5(vectors / "slide-009.h5", vector(9)[:30])
    archive, report = make_archive(tmp_path, untrained, vectors)
    refused = {refusal.path.rsplit("/")[-1]: refusal.reason for refusal in report.refused}
    assert refused.keys() == {"slide-007.h5", "slide-009.h5"}
    assert "has no slide feature, and the archive's are of titan" in refused["slide-007.h5"]
    assert "dimension" in refused["slide-009.h5"]
    space = archive.require_space()
    assert (space.slide_encoder, space.dimension, space.mosaic_dimension) == ("features:titan", WIDTH, FEATURES)
    stored = archive.get("slide-003").signature
    assert np.allclose(stored.global_vector, vector(3) / np.linalg.norm(vector(3)), atol=1e-6)
    assert stored.mosaic.shape[1] == FEATURES
    _require_working(archive, untrained)


def _require_working(archive: Archive, untrained: Archive) -> None:
    others = [r.slide_id for r in archive.records() if r.patient_id != "patient-0"]
    unit = {i: vector(i) / np.linalg.norm(vector(i)) for i in range(COUNT)}
    nearest = max(others, key=lambda other: unit[0] @ unit[int(other[-3:])])
    for distance in ("symmetric", "maxsim", "global", "contained", "pathsearch-paper"):
        found = list(archive.search(like="slide-000", k=3, distance=distance))
        assert len(found) == 3
        assert distance != "global" or found[0].slide_id == nearest
    evaluation = evaluate(archive, EvaluationSpec(systems=("global", "symmetric")))
    assert evaluation.subject.encoder == "features:titan"
    assert any("the slide encoder was trained" in warning for warning in evaluation.warnings)
    assert not verify(archive, deep=True).problems
    reencode(archive, SpaceChange(untrained=True))
    space = archive.require_space()
    assert (space.slide_encoder, space.dimension, space.mosaic_dimension) == ("pooled-1", FEATURES, 0)


def test_queries_from_outside_bring_their_vector_or_say_what_is_missing(tmp_path: Path, untrained: Archive) -> None:
    archive, _ = make_archive(tmp_path, untrained, write_all(tmp_path))
    file = untrained.path.parent / "features" / "slide-004.h5"
    outside = tmp_path / "outside.h5"
    with h5py.File(file, "r") as old, h5py.File(outside, "w") as new:
        new["features"] = old["features"][:] + 0.01
        new["coords"] = old["coords"][:]
        for name, value in old["coords"].attrs.items():
            new["coords"].attrs[name] = value
    with pytest.raises(MissingSlideFeature) as caught:
        archive.search(outside)
    assert "outside.h5: has no slide feature, and the archive's are of titan. Give --slide-feature" in str(caught.value)
    write_h5(tmp_path / "query.h5", vector(4)[None] * 3)
    for name in ("query.h5", tmp_path / "query.h5"):
        query = SlideFile(str(outside), slide_feature=tmp_path / name)
        assert next(iter(archive.search(query, distance="global"))).slide_id == "slide-004"
    with pytest.raises(SlideNotFound):
        archive.search(SlideFile(str(outside), slide_feature=tmp_path / "nothing.h5"))
    with pytest.raises(InputError, match="has no use here"):
        untrained.search(SlideFile(str(outside), slide_feature=tmp_path / "query.h5"))
    region = Region(SlideFile(str(file)), ((0, 0, 2000, 2000),))
    assert len(list(archive.search(region, k=3, distance="contained"))) == 3  # by the vector that the archive has


def test_an_archive_says_whether_it_needs_them(tmp_path: Path, untrained: Archive) -> None:
    archive = Archive.create(tmp_path / "archive", RECIPE, text_encoder="none", slide_encoder="titan")
    with pytest.raises(
        InputError, match="--slide-features: is missing: the vectors of this archive's slides were made"
    ):
        archive.index([untrained.path.parent / "features"], trust=True)
    with pytest.raises(InputError, match="do not fit this archive, whose slides are encoded by pooled-1"):
        Archive.create(tmp_path / "other", RECIPE, text_encoder="none").index(
            [untrained.path.parent / "features"], slide_features=write_all(tmp_path), trust=True
        )
    (tmp_path / "plain").mkdir()
    write_h5(tmp_path / "plain" / "slide-000.h5", vector(0))
    with pytest.raises(ConfigurationError, match="--slide-encoder: is missing, and neither"):
        name_stated_encoder(tmp_path / "plain", trust=True)
    write_h5(tmp_path / "plain" / "slide-000.h5", vector(0), encoder="prism")
    report = archive.index([untrained.path.parent / "features"], slide_features=tmp_path / "plain", trust=True)
    assert len(report.refused) == COUNT
    assert any("prism" in refusal.reason for refusal in report.refused)


LAYOUTS: dict[str, Callable[[Path], object]] = {
    "one.h5": lambda path: write_h5(path, vector(0)[None]),
    "named.h5": lambda path: write_h5(path, vector(0), "slide_embedding"),
    "one.pt": lambda path: torch.save(torch.from_numpy(vector(0)), path),
    "row.pt": lambda path: torch.save({"embedding": torch.from_numpy(vector(0))[None].half()}, path),
    "one.pkl": lambda path: path.write_bytes(pickle.dumps(vector(0))),
    "list.pkl": lambda path: path.write_bytes(pickle.dumps({"features": vector(0).tolist()})),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_files_of_one_slide(name: str, tmp_path: Path) -> None:
    LAYOUTS[name](tmp_path / name)
    read = read_slide_features(tmp_path / name)
    assert read.slide_ids == (Path(name).stem,)
    assert np.allclose(read.vectors[0], vector(0), atol=1e-2)
    if name.endswith(("h5", "pkl")):
        assert load_slide_features(tmp_path / name) == read


def test_files_of_many_slides(tmp_path: Path, untrained: Archive) -> None:
    ids = [f"slide-{number:03d}" for number in range(COUNT)]
    rows = np.stack([vector(number) for number in range(COUNT)])
    files = {
        "by-id.pkl": pickle.dumps(dict(zip(ids, rows, strict=True))),
        "titan.pkl": pickle.dumps({"embeds": rows, "filenames": [f"folder/{i}.h5" for i in ids]}),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    torch.save(dict(zip(ids, torch.from_numpy(rows)[:, None], strict=True)), tmp_path / "by-id.pt")
    with h5py.File(tmp_path / "by-id.h5", "w") as file:
        for slide_id, row in zip(ids, rows, strict=True):
            file[slide_id] = row
    for name in (*files, "by-id.pt", "by-id.h5"):
        read = read_slide_features(tmp_path / name)
        assert read.slide_ids == tuple(ids)
        assert np.array_equal(read.vectors, rows)
    archive, report = make_archive(tmp_path, untrained, tmp_path / "titan.pkl")
    assert report.refused == ()
    stored = archive.get("slide-011").signature.global_vector
    assert np.allclose(stored, vector(11) / np.linalg.norm(vector(11)), atol=1e-6)


class Runs:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch /tmp/histoseek-was-run",)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (np.zeros((3, 4), np.float32), "a slide feature of shape (3, 4)"),
        (np.zeros(4, np.float32), "a slide feature of zeros"),
        (np.full(4, np.nan, np.float32), "NaN"),
        ({"a": vector(0), "b": vector(0)[:3]}, "several dimensions"),
        ({"embeds": np.ones((2, 3)), "filenames": ["a", "a"]}, "for 1 slides"),
        ({"epoch": 3}, "no slide features in it"),
        ({"features": "text"}, "type <U4"),
        (Runs(), "system"),
    ],
)
def test_files_that_hold_no_vectors_are_refused_in_one_line(content: object, reason: str, tmp_path: Path) -> None:
    (tmp_path / "bad.pkl").write_bytes(pickle.dumps(content))
    with pytest.raises(BadFeatureFile) as caught:
        read_slide_features(tmp_path / "bad.pkl")
    assert reason in str(caught.value) and "\n" not in str(caught.value)
    assert not Path("/tmp/histoseek-was-run").exists()


def test_thousands_of_files_are_told_by_their_names(tmp_path: Path) -> None:
    from histoseek.archive.indexing.slide_vectors import SlideVectorSource

    files = tuple(tmp_path / f"{number}.h5" for number in range(20_000))
    source, started = SlideVectorSource(files, "titan"), time.monotonic()
    assert all(source._find(str(number)) == (files[number],) for number in range(20_000))
    assert source._find("none") == ()
    assert time.monotonic() - started < 5


def test_a_vector_is_never_taken_for_that_of_another_slide(tmp_path: Path, untrained: Archive) -> None:
    vectors = tmp_path / "vectors"
    (vectors / "again").mkdir(parents=True)
    write_h5(vectors / "slide-000.h5", vector(0))
    write_h5(vectors / "again" / "slide-000.h5", vector(1))
    write_h5(vectors / "slide-001.h5", vector(1))
    torch.save({"other": vector(2), "third": vector(3)}, vectors / "slide-002.pt")
    write_h5(vectors / "slide-003.h5", vector(3), encoder="titan")
    write_h5(vectors / "again" / "slide-003.h5", vector(4), encoder="prism")
    for number in range(4, 12):
        write_h5(vectors / f"slide-{number:03d}.h5", vector(number))
    archive, report = make_archive(tmp_path, untrained, vectors)
    told = {PurePath(refusal.path).stem: refusal.reason for refusal in report.refused}
    assert "is one of 2 files with a slide feature of 'slide-000'" in told["slide-000"]
    assert "has no slide feature" in told["slide-002"]
    assert {f"slide-{number:03d}" for number in (1, *range(3, 12))} == {each.slide_id for each in archive.records()}
    assert np.allclose(archive.get("slide-003").signature.global_vector, vector(3) / np.linalg.norm(vector(3)))


def test_from_the_command_line(tmp_path: Path, untrained: Archive) -> None:
    def run(*arguments: object) -> str:
        return CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False).output

    vectors, features = write_all(tmp_path, left_out=(3,)), untrained.path.parent / "features"
    archive = tmp_path / "archive"
    options = ("--features", features, "--features-encoder", "test", "--archive", archive, "--text-encoder", "none")
    output = run("index", *options, "--slide-features", vectors, "--trust")
    assert "19 added" in output and "has no slide feature, and the archive's are of titan" in output
    assert Archive.open(archive).require_space().slide_encoder == "features:titan"
    with pytest.raises(InputError, match="--slide-features: is missing"):
        run("index", *options, "--trust")
    with pytest.raises(SpaceMismatch, match="slide encoder"):
        run("index", *options, "--slide-features", vectors, "--slide-encoder", "prism", "--trust")
    query = ("search", "--archive", archive, "--slide", features / "slide-003.h5")
    with pytest.raises(MissingSlideFeature, match=r"slide-003\.h5: has no slide feature"):
        run(*query)
    write_h5(tmp_path / "mine.h5", vector(3))
    assert "slide-0" in run(*query, "--slide-feature", tmp_path / "mine.h5")


def test_spaces_of_older_archives_keep_their_fingerprints() -> None:
    space = EmbeddingSpace("lite0-1", "abc", 224, 0.5, "pooled-1", "def", 1280, "minilm-1", "ghi", 384)
    assert space.fingerprint == "fa63490007fa868a"
    assert replace(space, mosaic_dimension=768, mosaic_centre="xyz").fingerprint != space.fingerprint
