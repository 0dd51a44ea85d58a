"""Queries: what a user asks with, and what search needs of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from histoseek.archive.archive import Archive
from histoseek.encoders.bag import Bag
from histoseek.encoders.bagging import encode_prepared, prepared_slide
from histoseek.encoders.features import SUFFIXES, read_features
from histoseek.encoders.registry import encoder_card, load_encoder
from histoseek.errors import ArchiveError, InputError, SlideNotFound
from histoseek.mosaics.signature import Signature
from histoseek.progress import Reporter, SilentReporter
from histoseek.slides.fingerprint import fingerprint


@dataclass(frozen=True, slots=True)
class SlideFile:
    """Ask with a slide file (or a feature file, for an archive of such); its patient can be named to be left out."""

    path: Path
    spacing_um_per_px: float | None = None
    patient_id: str | None = None


@dataclass(frozen=True, slots=True)
class ArchivedSlide:
    """Ask with a slide of the archive."""

    slide_id: str


@dataclass(frozen=True, slots=True)
class TextQuery:
    """Ask with a sentence; its patient can be named to be left out."""

    text: str
    patient_id: str | None = None


@dataclass(frozen=True, slots=True)
class ReportFile:
    """Ask with a report in a text file (UTF-8); its patient can be named to be left out."""

    path: Path
    patient_id: str | None = None


Query = SlideFile | ArchivedSlide | TextQuery | ReportFile
SlideQuery = SlideFile | ArchivedSlide


@dataclass(frozen=True, slots=True)
class PreparedQuery:
    """A query in the archive's space, and whose it is as far as known."""

    signature: Signature
    uri: str
    spacing_um_per_px: float
    slide_id: str | None = None
    patient_id: str | None = None
    case_id: str | None = None


@dataclass(frozen=True, slots=True)
class PreparedText:
    """A text to ask with, the file it is from, and whose it is as far as known."""

    text: str
    uri: str | None
    patient_id: str | None


def prepare_text(query: TextQuery | ReportFile) -> PreparedText:
    """The text of a query; raises InputError when there is none, or the file is no readable text."""
    if isinstance(query, TextQuery):
        text, where, uri = query.text, "--text", None
    else:
        text, where, uri = _read_report(query.path), str(query.path), str(query.path)
    text = text.replace("\0", " ").strip()
    if not text:
        raise InputError(where, "is empty", "Give some words")
    return PreparedText(text, uri, query.patient_id)


def _read_report(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(str(path), "is not text in UTF-8", "Save the report as plain text in UTF-8") from error
    except OSError as error:
        raise InputError(str(path), error.strerror or "cannot be read", "Check the path") from error


def prepare_query(
    archive: Archive, query: SlideQuery, workers: int = 2, reporter: Reporter | None = None
) -> PreparedQuery:
    """Bring a query into the archive's space; raises SlideError, UnknownSlide, or ArchiveError for an empty archive."""
    if archive.space is None:
        raise ArchiveError(str(archive.path), "the archive is empty", "Index some slides first")
    if isinstance(query, ArchivedSlide):
        return _archived(archive, query.slide_id)
    if not query.path.is_file():
        raise SlideNotFound(query.path)
    known = archive.records(f"file_fingerprint = '{fingerprint(query.path)}'", limit=1)
    if known and query.spacing_um_per_px is None:
        found = _archived(archive, known[0].slide_id)
        return replace(found, patient_id=query.patient_id) if query.patient_id else found
    bag, spacing = _bag(archive, query, workers, reporter or SilentReporter())
    patient = query.patient_id or (known[0].patient_id if known else None)
    return PreparedQuery(
        signature=archive.signer.sign(bag),
        uri=str(query.path),
        spacing_um_per_px=spacing,
        slide_id=known[0].slide_id if known else None,
        patient_id=patient,
        case_id=known[0].case_id if known else None,
    )


def _archived(archive: Archive, slide_id: str) -> PreparedQuery:
    stored = archive.get(slide_id)
    record = stored.record
    return PreparedQuery(
        signature=stored.signature,
        uri=record.uri,
        spacing_um_per_px=record.spacing_um_per_px,
        slide_id=slide_id,
        patient_id=record.patient_id,
        case_id=record.case_id,
    )


def _bag(archive: Archive, query: SlideFile, workers: int, reporter: Reporter) -> tuple[Bag, float]:
    """The query's bag by the archive's own recipe, and the slide's spacing in um/px."""
    recipe = archive.recipe
    if recipe.imported:
        found = read_features(query.path, recipe.encoder)
        return found.bag, found.slide_spacing_um_per_px
    if query.path.suffix.lower() in SUFFIXES:
        raise InputError(str(query.path), "a feature file, but the archive was made from slides", "Ask with a slide")
    edge_px = encoder_card(recipe.encoder).input_px
    with prepared_slide(query.path, recipe, edge_px, query.spacing_um_per_px) as prepared:
        bag = encode_prepared(prepared, load_encoder(recipe.encoder), workers, reporter)
        return bag, prepared.slide.spacing_um_per_px
