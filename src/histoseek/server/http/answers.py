"""From what the archive and search give to what the REST API answers, less what names files."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import date

from histoseek.archive.schema import MetadataValue, SlideRecord
from histoseek.mosaics.calibration import is_novel
from histoseek.reports.concepts.vocabulary import load_vocabulary
from histoseek.reports.facts.report_facts import list_values, make_concept_token
from histoseek.reports.facts.structured import extract_facts
from histoseek.reports.language.sections import split_sections
from histoseek.rest.archives import Report, ReportFact, ReportSection, Slide, Value
from histoseek.rest.base import Region
from histoseek.rest.queries import SlideRef
from histoseek.rest.results import (
    AttentionMap,
    ExplainResponse,
    Explanation,
    Match,
    Phrase,
    QueryEcho,
    QuerySlide,
    Result,
    SearchResponse,
    SlideAttention,
    TextRegion,
    Vote,
    Way,
)
from histoseek.search import attention
from histoseek.search.calibration.apply import NOT_CALIBRATED
from histoseek.search.results import QueryInfo, SearchResult, SearchResults
from histoseek.slides.sources.registry import existing_source, source_name


def slide_answer(record: SlideRecord) -> Slide:
    """A slide without the address of its file and the text of its report."""
    return Slide(
        slide_id=record.slide_id,
        file_name=source_name(record.uri),
        case_id=record.case_id,
        patient_id=record.patient_id,
        site=record.site,
        stain=record.stain,
        organ=record.organ,
        diagnosis=record.diagnosis,
        width=record.width,
        height=record.height,
        spacing_um_per_px=record.spacing_um_per_px,
        tile_count=record.tile_count,
        created=record.created,
        updated=record.updated,
        has_report=bool(record.report),
        has_image=bool(record.width) and existing_source(record.uri) is not None,
        extra={name: value_answer(value) for name, value in record.extra.items()},
    )


def value_answer(value: MetadataValue) -> Value:
    """A metadata value as JSON has it: dates in ISO 8601, null for what is no number."""
    if isinstance(value, date):
        return value.isoformat()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def report_answer(record: SlideRecord) -> Report:
    """The report of a slide with its sections and what it states; empty where there is none."""
    text = record.report or ""
    return Report(
        slide_id=record.slide_id,
        text=text,
        sections=tuple(ReportSection.model_validate(one) for one in split_sections(text).sections) if text else (),
        facts=tuple(_facts(text)) if text else (),
    )


def _facts(text: str) -> Iterator[ReportFact]:
    vocabulary = load_vocabulary()
    read = extract_facts(text, vocabulary)
    for mention in read.mentions:
        field, _, value = make_concept_token(mention, mention.concept_id, vocabulary).partition(":")
        yield ReportFact(field=field, value=value, start=mention.start, end=mention.end)
    for fact in list_values(read):
        yield ReportFact(field=fact.field, value=fact.value, start=fact.span.start, end=fact.span.end)


def search_answer(results: SearchResults, asked: Sequence[SlideRef], key: str, k: int) -> SearchResponse:
    """The results; asked: the slides that the request named, in order; key: of the query, for feedback."""
    more = len(results) >= k
    return SearchResponse(
        query=query_answer(results.query, asked),
        query_key=key,
        mode=results.mode,
        elapsed_ms=results.elapsed_ms,
        results=tuple(result_answer(result) for result in results),
        next_offset=results.query.offset + k if more else None,
        # Whoever shows probabilities learns from `calibrated_for` that there are none.
        warnings=tuple(warning for warning in results.warnings if warning != NOT_CALIBRATED),
        calibrated_for=results.calibrated_for,
        novelty=results.novelty,
        unlike=is_novel(results.novelty),
        vote=Vote.model_validate(results.vote_) if results.vote_ else None,
    )


def explain_answer(result: SearchResult) -> ExplainResponse:
    """A result with its attention maps."""
    maps = result.attention
    return ExplainResponse(
        result=result_answer(result),
        query_attention=_attention(maps.query) if maps else None,
        result_attention=_attention(maps.result) if maps else None,
    )


def query_answer(info: QueryInfo, asked: Sequence[SlideRef]) -> QueryEcho:
    """What was asked; slides of the request's own order keep their upload's id."""
    uploads = [ref.upload_id for ref in asked] if len(asked) == len(info.slides) else [None] * len(info.slides)
    return QueryEcho(
        kind=info.kind,
        to=info.to,
        slides=tuple(
            QuerySlide(
                slide_id=slide.slide_id,
                upload_id=upload,
                name=slide.slide_id or source_name(slide.uri),
                spacing_um_per_px=slide.spacing_um_per_px,
            )
            for slide, upload in zip(info.slides, uploads, strict=True)
        ),
        regions=tuple(Region.model_validate(region) for region in info.regions),
        text=info.text,
        without=info.without,
        weight=info.weight,
        distance=info.distance,
    )


def result_answer(result: SearchResult) -> Result:
    """One result."""
    return Result(
        rank=result.rank,
        slide_id=result.slide_id,
        case_id=result.case_id,
        score=result.score,
        probability=result.probability,
        local=result.local,
        global_=result.global_,
        matches=tuple(Match.model_validate(match) for match in result.matches),
        ways=tuple(Way.model_validate(place) for place in result.channels),
        query_slide=result.query_slide,
        also=result.also,
        explanation=Explanation.model_validate(result.explanation) if result.explanation else None,
        phrases=tuple(Phrase.model_validate(phrase) for phrase in result.phrases),
        text_regions=tuple(TextRegion.model_validate(region) for region in result.text_regions),
        slide=slide_answer(result.record),
        report_text=result.record.report,
    )


def _attention(slide: attention.SlideAttention) -> SlideAttention:
    return SlideAttention(attention=_map(slide.attention()), contribution=_map(slide.contribution()))


def _map(tiles: attention.AttentionMap) -> AttentionMap:
    return AttentionMap(
        x=tuple(tiles.coords[:, 0].tolist()),
        y=tuple(tiles.coords[:, 1].tolist()),
        edge_level0=tiles.edge_level0,
        weights=tuple(tiles.weights.tolist()),
    )
