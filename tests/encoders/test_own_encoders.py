"""Encoders and distances of one's own, as docs/own-encoders.md has them, by command and from Python."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

import histoseek as package
from histoseek import own_code
from histoseek.api import Archive
from histoseek.encoders.inventory.features_of import find_features_card, require_card_dimension
from histoseek.encoders.recipe import Recipe
from histoseek.encoders.slide.own import OwnSlideEncoder
from histoseek.encoders.slide.registry import find_fitted_family, register_slide_encoder
from histoseek.encoders.text.own import OwnTextEncoder
from histoseek.encoders.text.registry import load_text_encoder, load_tower, register_text_encoder
from histoseek.encoders.tile import registry as tile_registry
from histoseek.encoders.tile.own import OwnTileEncoder
from histoseek.encoders.tile.registry import load_tile_encoder, register_tile_encoder
from histoseek.errors import ConfigurationError, EncoderError, HistoseekError, OtherFeatures, SpaceMismatch
from histoseek.mosaics import distances as distance_registry
from histoseek.mosaics.distances import Distance, Fusion, get_distance, register_distance
from histoseek.search.options import SearchOptions
from histoseek.settings import get_settings
from tests.cli.process import histoseek, refused

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "own-encoders.md"
NAMED = "mine:tiles,mine:slides,mine:texts"


def read_blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing is registered or named from one test to the next."""
    from histoseek.encoders.slide import registry as slide_registry
    from histoseek.encoders.text import registry as text_registry

    for module in (tile_registry, slide_registry, text_registry, distance_registry):
        monkeypatch.setattr(module, "_registered", {})
    monkeypatch.setenv("HISTOSEEK_OWN_CODE", "")
    monkeypatch.setattr(sys, "path", [*sys.path])
    get_settings.cache_clear()
    yield
    monkeypatch.undo()
    for name in ("mine", "broken"):
        sys.modules.pop(name, None)
    for cache in (own_code._import, own_code._make, get_settings):
        cache.cache_clear()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the document's mine.py."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "mine.py").write_text("\n".join(block for block in read_blocks() if "# mine.py" in block))
    return folder


@pytest.fixture(scope="module")
def made(folder: Path, cohort: Path) -> Path:
    """An archive that was made on the command line with the tile, slide and text encoder of mine.py."""
    tables = "--metadata", cohort / "metadata.csv", "--reports", cohort / "reports.csv"
    own = "--encoder", "mine:tiles", "--slide-encoder", "mine:slides", "--text-encoder", "mine:texts"
    done = histoseek("index", cohort, "--archive", "a.archive", *tables, *own, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "10 added" in done.stdout
    return folder / "a.archive"


def test_an_archive_of_own_encoders_is_known_by_their_names(made: Path) -> None:
    archive = Archive.open(made)
    assert archive.recipe.encoder == "mine:tiles"
    assert archive.recipe.spacing_um_per_px == 2.0, "its usual spacing"
    space = archive.require_space()
    assert (space.tile_encoder, space.tile_edge_px) == ("colours-1", 64)
    assert (space.slide_encoder, space.slide_weights[:9], space.dimension) == ("mine:slides", "loudest-1", 6)
    assert (space.text_encoder, space.text_dimension) == ("counts-1", 5)


def test_commands_use_it_where_the_user_names_the_code(made: Path, folder: Path, cohort: Path) -> None:
    slide = next(cohort.glob("*.tiff"))
    elsewhere = folder / "other"
    elsewhere.mkdir(exist_ok=True)
    copy = elsewhere / "copy.tiff"
    copy.write_bytes(slide.read_bytes() + b"\0")
    search = "search", "--slide", copy, "--archive", made, "--distance", "mine:distance"
    found = histoseek(*search, cwd=folder, HISTOSEEK_OWN_CODE=NAMED)
    assert found.returncode == 0, found.stderr
    assert slide.stem in found.stdout
    said = histoseek(*search, cwd=folder)
    assert said.returncode == 2
    assert "mine:tiles: is code that nobody has named here, so it is not imported" in said.stderr
    missing = histoseek(*search, cwd=elsewhere, HISTOSEEK_OWN_CODE=NAMED)
    assert "there is no module 'mine'. Run in the folder that has it, or install it" in missing.stderr
    words = histoseek("search", "--archive", made, "--text", "adenoma", cwd=folder, HISTOSEEK_OWN_CODE=NAMED)
    assert words.returncode == 0, words.stderr


def test_own_distances_rank_as_their_function_says(made: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    own_code.allow_own_code("mine:distance", *NAMED.split(","))
    archive = Archive.open(made)
    ids = [record.slide_id for record in archive]
    vectors = {slide_id: archive.get(slide_id).signature.global_vector for slide_id in ids}
    options = SearchOptions(k=9, distance="mine:distance", same_patient=True, exact=True)
    results = archive.search(like=ids[0], options=options)
    expected = sorted(ids[1:], key=lambda other: float(np.abs(vectors[ids[0]] - vectors[other]).sum()))
    assert [result.slide_id for result in results] == expected
    nearest = next(iter(results))
    assert nearest.score == pytest.approx(1 - float(np.abs(vectors[ids[0]] - vectors[expected[0]]).sum()), abs=1e-5)


def test_no_archive_and_no_request_runs_code_that_nobody_named(tmp_path: Path, indexed: Path) -> None:
    (tmp_path / "trap.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\ndef make(): pass\n")
    for spec in ("trap:make", "os:abort", "os:getcwd"):
        with pytest.raises(ConfigurationError, match="nobody has named here"):
            get_distance(spec)
        with pytest.raises(ConfigurationError, match="nobody has named here"):
            load_tile_encoder(spec)
        with pytest.raises(ConfigurationError, match="nobody has named here"):
            load_text_encoder(spec)
        with pytest.raises(ConfigurationError, match="nobody has named here"):
            find_fitted_family(spec)
        with pytest.raises(ConfigurationError, match="nobody has named here"):
            Archive.open(indexed).search(like="SIM-0000-00", distance=spec)
    assert not (tmp_path / "ran").exists()


def test_the_documents_python_runs(folder: Path, cohort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    from histoseek.encoders.devices import import_timm

    try:
        import_timm()
    except EncoderError:
        pytest.skip("timm is not installed")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "slides").mkdir()
    for slide in sorted(cohort.glob("*.tiff"))[:2]:
        (tmp_path / "slides" / slide.name).symlink_to(slide)
    names: dict[str, object] = {"histoseek": package}
    for block in read_blocks():
        if "# mine.py" not in block:
            exec(compile(block, str(DOCUMENT), "exec"), names)  # noqa: S102
    archive = Archive.open(tmp_path / "b.archive")
    assert len(archive) == 2
    assert names["spec"] == archive.recipe.encoder == "own:my-resnet"
    encoder = names["encoder"]
    assert isinstance(encoder, OwnTileEncoder)
    assert archive.require_space().tile_encoder_weights == encoder.weights_hash
    said = refused("index", tmp_path / "slides", "--archive", tmp_path / "b.archive", "--tiles", 3)
    assert "own:my-resnet: was given from Python, and this process does not have it" in said


def test_a_network_gives_what_torch_gives() -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 8, 8), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    encoder = OwnTileEncoder("conv", network, dimension=4, tile_px=32, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    tiles = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    with torch.inference_mode():
        expected = network(torch.from_numpy(tiles).permute(0, 3, 1, 2) / 127.5 - 1).numpy()
    assert np.abs(encoder.encode(tiles) - expected).max() < 1e-5
    assert encoder.runtime.startswith("torch float32")
    same = OwnTileEncoder("conv", network, dimension=4, tile_px=32)
    assert same.weights_hash == encoder.weights_hash
    with torch.no_grad():
        network[0].bias += 1
    assert OwnTileEncoder("conv", network, dimension=4, tile_px=32).weights_hash != encoder.weights_hash


def zeros(tiles: np.ndarray) -> np.ndarray:
    return np.zeros((len(tiles), 3))


def test_identity_is_name_version_and_weights(tmp_path: Path) -> None:
    plain = OwnTileEncoder("one", zeros, dimension=3)
    assert plain.weights_hash != OwnTileEncoder("one", zeros, dimension=3, version="2").weights_hash
    assert OwnTileEncoder("one", zeros, dimension=3, weights="AB12CD34").weights_hash == "ab12cd34"
    (tmp_path / "w.bin").write_bytes(b"weights")
    hashed = OwnTileEncoder("one", zeros, dimension=3, weights=tmp_path / "w.bin").weights_hash
    assert len(hashed) == 16
    for wrong in ({"weights": "nowhere.bin"}, {"version": "1-2"}, {"dimension": 0}, {"mean": (1, 2), "std": (1, 2)}):
        with pytest.raises(ConfigurationError):
            OwnTileEncoder("one", zeros, **{"dimension": 3, **wrong})
    for name in ("", "my encoder", "uni:cls", "a@b"):
        with pytest.raises(ConfigurationError, match="can't be a name"):
            OwnTileEncoder(name, zeros, dimension=3)


def test_names_are_not_taken_twice() -> None:
    encoder = OwnTileEncoder("mine", zeros, dimension=3)
    assert register_tile_encoder(encoder) == "own:mine"
    assert register_tile_encoder(OwnTileEncoder("mine", zeros, dimension=3)) == "own:mine", "the same again"
    with pytest.raises(ConfigurationError, match="is taken"):
        register_tile_encoder(OwnTileEncoder("mine", zeros, dimension=3, version="2"))
    for name in ("lite0", "uni"):
        with pytest.raises(ConfigurationError, match="is taken"):
            register_tile_encoder(OwnTileEncoder(name, zeros, dimension=3))
    with pytest.raises(ConfigurationError, match="is taken"):
        register_text_encoder(OwnTextEncoder("minilm", len, dimension=3))  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="is taken"):
        register_distance(Distance("symmetric", Fusion(0, 1), False, lambda q, b: (b, b)))  # type: ignore[arg-type,return-value]
    own = Distance("mine", Fusion(0, 1), False, lambda q, b: (b, b))  # type: ignore[arg-type,return-value]
    assert get_distance(register_distance(own)).name == "own:mine"
    with pytest.raises(ConfigurationError, match="was given from Python"):
        get_distance("own:others")


def test_code_that_fails_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken.py").write_text(
        "import histoseek\n"
        "number = 3\n"
        "def fail(*_): raise RuntimeError('no such\\nluck')\n"
        "def make(): return histoseek.OwnTileEncoder('made', fail, dimension=3)\n"
        "named = histoseek.OwnTextEncoder('minilm2', fail, dimension=3)\n"
        "def lite0(): return histoseek.OwnTileEncoder('lite0', fail, dimension=3)\n"
    )
    monkeypatch.chdir(tmp_path)
    specs = (
        "broken:number",
        "broken:fail",
        "broken:nothing",
        "nowhere:at_all",
        "broken:make",
        "broken:named",
        "broken:lite0",
    )
    own_code.allow_own_code(*specs)
    said = {}
    for spec in specs:
        with pytest.raises(HistoseekError) as caught:
            load_tile_encoder(spec).encode(np.zeros((1, 224, 224, 3), np.uint8))
        said[spec] = str(caught.value)
        assert "\n" not in said[spec]
    assert "is an object of type int, not OwnTileEncoder" in said["broken:number"]
    assert "can't be made by calling it (RuntimeError: no such" in said["broken:fail"]
    assert "module 'broken' has no attribute 'nothing'" in said["broken:nothing"]
    assert "there is no module 'nowhere'" in said["nowhere:at_all"]
    assert "made: failed (RuntimeError" in said["broken:make"]
    assert "not OwnTileEncoder" in said["broken:named"]
    assert "'lite0': is taken" in said["broken:lite0"]
    with pytest.raises(EncoderError, match="takes no weights"):
        load_tile_encoder("broken:make@/some/file")
    with pytest.raises(EncoderError, match="is not trained here"):
        load_tower("broken:named")
    (tmp_path / "broken.py").write_text("1 / 0")
    own_code._import.cache_clear()
    sys.modules.pop("broken")
    with pytest.raises(ConfigurationError, match="can't be imported \\(ZeroDivisionError"):
        load_tile_encoder("broken:make")


def test_code_that_prints_or_exits_leaves_the_command_its_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("HISTOSEEK_OWN_CODE", "talking:tiles,leaving:tiles")
    get_settings.cache_clear()
    made = "import histoseek, sys\nprint('hello')\ndef make(tiles): sys.exit(3)\n"
    made += "tiles = histoseek.OwnTileEncoder('leaves', make, dimension=3, tile_px=8)\n"
    (tmp_path / "talking.py").write_text(made)
    (tmp_path / "leaving.py").write_text("import sys\nsys.exit(2)\n")
    encoder = load_tile_encoder("talking:tiles")
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "hello\n")
    with pytest.raises(EncoderError, match="leaves: failed \\(SystemExit: 3"):
        encoder.encode(np.zeros((1, 8, 8, 3), np.uint8))
    with pytest.raises(ConfigurationError, match="can't be imported \\(SystemExit: 2"):
        load_tile_encoder("leaving:tiles")
    monkeypatch.undo()
    get_settings.cache_clear()


@pytest.mark.parametrize("given", [np.zeros((2, 3)), np.zeros((1, 4)), np.full((1, 3), np.nan), "text", None])
def test_functions_must_give_what_they_say(given: object) -> None:
    with pytest.raises(EncoderError):
        OwnTileEncoder("bad", lambda _: given, dimension=3).encode(np.zeros((1, 224, 224, 3), np.uint8))
    with pytest.raises(EncoderError):
        OwnTextEncoder("bad", lambda _: given, dimension=3).encode(["text"])


def test_known_names_win(monkeypatch: pytest.MonkeyPatch) -> None:
    own_code.allow_own_code("uni:nothing", "lite0:cls")
    with pytest.raises(EncoderError, match="no such variant"):
        load_tile_encoder("uni:nothing")
    assert tile_registry.find_tile_card("uni:cls").name == "uni"


def test_archives_from_python_take_all_kinds(cohort: Path, tmp_path: Path) -> None:
    tiles = OwnTileEncoder(
        "grey", lambda t: t.reshape(len(t), -1)[:, :16] / 255 + 0.1, dimension=16, spacing_um_per_px=1
    )
    slides = OwnSlideEncoder("spread", lambda f, p: f.std(0) + 1, input_dimension=16, dimension=16)
    texts = OwnTextEncoder("lengths", lambda t: [[len(each), 1] for each in t], dimension=2)
    archive = Archive.create(tmp_path / "a", encoder=tiles, slide_encoder=slides, text_encoder=texts)
    assert archive.recipe.spacing_um_per_px == 1
    chosen = sorted(cohort.glob("*.tiff"))[:3]
    report = archive.index(chosen, reports=cohort / "reports.csv")
    assert (report.added, report.refused) == (3, ())
    space = archive.require_space()
    assert (space.tile_encoder, space.slide_encoder, space.text_encoder) == ("grey-1", "own:spread", "lengths-1")
    assert len(archive.search(text="adenoma", k=2)) > 0
    other = OwnTileEncoder("other", zeros, dimension=3)
    with pytest.raises(SpaceMismatch):
        archive.index(chosen, encoder=other)
    assert archive.index(chosen, encoder=tiles).unchanged == 3
    wrong = OwnSlideEncoder("narrow", lambda f, p: f, input_dimension=3, dimension=3)
    refusing = Archive.create(tmp_path / "b", Recipe(spacing_um_per_px=2), encoder=tiles, slide_encoder=wrong)
    with pytest.raises(HistoseekError, match="dimension"):
        refusing.index(chosen)
    register_slide_encoder(wrong)
    with pytest.raises(ConfigurationError, match="is taken"):
        register_slide_encoder(OwnSlideEncoder("narrow", lambda f, p: f, input_dimension=3, dimension=3, version="2"))


def test_spacing_is_the_cards_where_nobody_gives_one(tmp_path: Path) -> None:
    assert Archive.create(tmp_path / "a").recipe.spacing_um_per_px == 0.5
    assert Archive.create(tmp_path / "b", encoder="retccl").recipe.spacing_um_per_px == 1.0
    assert Archive.create(tmp_path / "c", Recipe(encoder="retccl")).recipe.spacing_um_per_px == 1.0
    assert Archive.create(tmp_path / "d", Recipe("retccl", 0.5)).recipe.spacing_um_per_px == 0.5, "as given"
    imported = Archive.create(tmp_path / "e", Recipe("features:RetCCL"))
    assert Archive.open(imported.path).recipe.spacing_um_per_px == 1.0
    assert Recipe() == Recipe(spacing_um_per_px=0.5)
    assert os.environ["HISTOSEEK_OWN_CODE"] == ""


def test_a_usual_variant_may_be_spelled_out() -> None:
    """`uni:cls` is uni, and its features have uni's dimension."""
    card = find_features_card("uni:cls")
    assert card is not None
    assert (card.name, card.dimension) == ("uni", 1024)
    with pytest.raises(OtherFeatures, match="1024, as uni gives"):
        require_card_dimension("a.h5", "uni:cls", 768)
    with pytest.raises(OtherFeatures, match="2560, as virchow2 gives"):
        require_card_dimension("a.h5", "virchow2:cls+mean", 1280)


def test_features_must_have_a_dimension_of_the_encoder_they_are_called_after(tmp_path: Path) -> None:
    (tmp_path / "features").mkdir()
    for name, dimension in (("good", 1024), ("bad", 768)):
        with h5py.File(tmp_path / "features" / f"{name}.h5", "w") as file:
            file["features"] = np.random.default_rng(0).standard_normal((6, dimension)).astype(np.float32)
            file["coords"] = np.arange(12, dtype=np.int32).reshape(6, 2) * 256
    archive = Archive.create(tmp_path / "a", Recipe("features:UNI"), text_encoder="none")
    report = archive.index(tmp_path / "features")
    assert (report.added, len(report.refused)) == (1, 1)
    said = report.refused[0].reason
    assert "bad.h5: its features are of dimension 768, as " in said
    assert "the archive's of 1024, as uni gives" in said
    both = Archive.create(tmp_path / "b", Recipe("features:nobody knows it"), text_encoder="none")
    assert both.index(tmp_path / "features" / "bad.h5").added == 1
