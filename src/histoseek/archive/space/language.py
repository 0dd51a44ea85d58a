"""What ties an archive's slides to language: what its reports say, and the space that slides and texts share."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from histoseek.archive.layout import ArchiveLayout
from histoseek.archive.reading_file import read_boilerplate
from histoseek.archive.report_index import index_report, split_windows
from histoseek.archive.schema import LanguageVectors, StoredSlide
from histoseek.archive.stores.base import VectorColumn
from histoseek.encoders.alignment import Alignment, Floats, load_alignment
from histoseek.encoders.embedding_space import EmbeddingSpace
from histoseek.encoders.text.base import Reading, TextEncoder
from histoseek.encoders.weights import load_card, load_weights
from histoseek.errors import SpaceMismatch


@dataclass(frozen=True)
class Language:
    """Reads texts into one archive's spaces; spec: what its text encoder is loaded from, or "none"."""

    layout: ArchiveLayout
    spec: str
    space: EmbeddingSpace

    @cached_property
    def encoder(self) -> TextEncoder:
        """The text encoder, loaded when first asked for; raises EncoderError, or SpaceMismatch for another one."""
        encoder = self._load_encoder()
        if self.space.has_texts and encoder.weights_hash != self.space.text_weights:
            parts = self.space.text_weights, encoder.weights_hash
            raise SpaceMismatch(self.layout.name, f"text encoder ({self.spec})", *parts)
        return encoder

    @property
    def engine(self) -> str | None:
        """What computes the text encoder, None as long as it was not asked for."""
        return self.encoder.engine if "encoder" in self.__dict__ else None

    @cached_property
    def sentences(self) -> VectorCache:
        """Vectors of sentences, which are remembered for a while; raises as `encoder` does."""
        return VectorCache(self.encoder.encode)

    @cached_property
    def alignment(self) -> Alignment | None:
        """The maps into the shared space, None when there is none; raises DamagedArchive."""
        if not self.space.has_alignment:
            return None
        return load_alignment(self.layout.alignment, self.space.alignment_weights)

    @property
    def regional(self) -> Alignment | None:
        """The maps of mosaic vectors and texts into a space that these share, None where there is no such."""
        alignment = None if self.space.has_tile_mosaics else self.alignment
        return alignment.regional if alignment else None

    @property
    def dimensions(self) -> dict[VectorColumn, int]:
        """The vector columns that the space has, with their dimensions."""
        dimensions: dict[VectorColumn, int] = (
            {"report_vector": self.space.text_dimension} if self.space.has_texts else {}
        )
        if self.space.has_alignment:
            dimensions |= {
                "shared_vector": self.space.shared_dimension,
                "shared_report_vector": self.space.shared_dimension,
            }
        return dimensions

    def with_texts(self) -> EmbeddingSpace:
        """The space once reports are read with the text encoder, and into the shared space if weights bring one."""
        encoder = self.encoder
        space = replace(
            self.space,
            text_encoder=f"{encoder.card.name}-{encoder.card.version}",
            text_weights=encoder.weights_hash,
            text_dimension=encoder.card.dimension,
        )
        alignment = load_weights(self.layout.weights).alignment if self.is_trained else None
        if alignment is None or self.space.has_alignment:
            return space
        alignment.save(self.layout.alignment)
        return add_alignment(space, alignment)

    @cached_property
    def is_trained(self) -> bool:
        """Whether slides and texts were trained together, so that slides can be found by text without reports."""
        return self.layout.weights.is_file() and load_card(self.layout.weights).text is not None

    def complete(self, slides: Sequence[StoredSlide]) -> list[StoredSlide]:
        """The slides with what ties them to language, as far as they don't have it yet.

        Their words are read while the text encoder computes.
        """
        boilerplate = read_boilerplate(self.layout)
        with ThreadPoolExecutor(1, thread_name_prefix="reports") as pool:
            computing = pool.submit(self._encode_reports, _list_unread(slides))
            for slide in slides:
                if slide.record.report and slide.language.report_tokens is None:
                    index_report(slide.record.report, boilerplate)
            readings = computing.result()
        return [
            replace(slide, language=self._make_vectors(slide, readings.get(slide.record.report or "")))
            for slide in slides
        ]

    def read_reports(self, slides: Sequence[StoredSlide]) -> list[StoredSlide]:
        """The slides with the tokens and facts of their reports read anew; vectors stay as they are."""
        return [replace(slide, language=self._read_report(slide)) for slide in slides]

    def _read_report(self, slide: StoredSlide) -> LanguageVectors:
        index = index_report(slide.record.report or "", read_boilerplate(self.layout))
        return replace(slide.language, report_tokens=index.tokens, report_facts=index.facts, report_places=index.places)

    def _encode_reports(self, reports: Sequence[str]) -> Mapping[str, Reading]:
        """Reports as the text encoder reads them, each once."""
        if not (reports and self.space.has_texts):
            return {}
        encoder = self.encoder
        passages = [split_windows(report, encoder.card.context_tokens) or (report,) for report in reports]
        return dict(zip(reports, encoder.read(passages), strict=True))

    def _make_vectors(self, slide: StoredSlide, reading: Reading | None) -> LanguageVectors:
        if slide.record.report and slide.language.report_tokens is None:
            slide = replace(slide, language=self._read_report(slide))
        language = slide.language
        if reading and language.report_vector is None:
            language = replace(language, report_vector=reading.vector)
        if reading and len(reading.passages) > 1:
            language = replace(language, report_windows=reading.passages.astype(np.float16))
        if self.alignment is None:
            return language
        report = language.report_vector
        shared = self.alignment.slides(slide.signature.global_vector[None])[0]
        shared_report = self.alignment.texts(np.asarray(report)[None])[0] if report is not None else None
        return replace(language, shared_vector=shared, shared_report_vector=shared_report)

    def _load_encoder(self) -> TextEncoder:
        if self.is_trained:
            from histoseek.encoders.text.trained import build_text_encoder

            return build_text_encoder(load_weights(self.layout.weights), self.spec)
        from histoseek.encoders.text.registry import load_text_encoder

        return load_text_encoder(self.spec)


def _list_unread(slides: Sequence[StoredSlide]) -> list[str]:
    """The different reports that have no vectors yet; those of a length that gives one vector have no windows."""
    return list(
        dict.fromkeys(
            slide.record.report for slide in slides if slide.record.report and slide.language.report_vector is None
        )
    )


def add_alignment(space: EmbeddingSpace, alignment: Alignment) -> EmbeddingSpace:
    """The space with slides and texts in the shared space of an alignment."""
    return replace(
        space,
        alignment=alignment.kind,
        alignment_weights=alignment.fingerprint,
        shared_dimension=alignment.dimension(space.dimension),
    )


MOST_SENTENCES = 20_000
"""About 30 MB with 384 numbers a vector."""


class VectorCache:
    """Reads texts, each once as long as it is remembered. Safe to use from several threads."""

    def __init__(self, encode: Callable[[Sequence[str]], Floats], most: int = MOST_SENTENCES) -> None:
        self._encode = encode
        self._most = most
        self._vectors: OrderedDict[str, Floats] = OrderedDict()
        self._guard = threading.Lock()

    def __call__(self, texts: Sequence[str]) -> Floats:
        """Vectors of some texts, at least one, float32 [N, T]."""
        with self._guard:
            vectors = {text: self._vectors[text] for text in texts if text in self._vectors}
        new = [text for text in dict.fromkeys(texts) if text not in vectors]
        if new:
            vectors |= zip(new, self._encode(new), strict=True)
        self._remember(texts, vectors)
        return np.stack([vectors[text] for text in texts])

    def _remember(self, texts: Sequence[str], vectors: dict[str, Floats]) -> None:
        with self._guard:
            for text in texts:
                self._vectors[text] = vectors[text]
                self._vectors.move_to_end(text)
            while len(self._vectors) > self._most:
                self._vectors.popitem(last=False)
