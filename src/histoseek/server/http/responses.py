"""From records and results to responses of the REST API, less what names files."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import date

from histoseek.archive.schema import MetadataValue, SlideRecord
from histoseek.geometry import Rect
from histoseek.reports.concepts.vocabulary import load_vocabulary
from histoseek.reports.facts.report_facts import list_values, make_concept_token
from histoseek.reports.facts.structured import extract_facts
from histoseek.reports.language.sections import split_sections
from histoseek.rest.archives import (
    FacetBin,
    FacetField,
    FacetValue,
    Report,
    ReportFact,
    ReportSection,
    Slide,
    SlideListing,
    Tray,
    TrayCase,
    TrayReport,
    Value,
)
from histoseek.rest.base import Region
from histoseek.rest.queries import SlideRef
from histoseek.rest.results import (
    AttentionMap,
    CasePart,
    Channel,
    CounterExample,
    DifferentialColumn,
    DifferentialResponse,
    DistinguishingTerm,
    ExplainResponse,
    Explanation,
    FieldPair,
    LabelDistribution,
    Match,
    OtherPairs,
    Phrase,
    PhraseResult,
    PhrasesResponse,
    QueryEcho,
    QuerySlide,
    Result,
    SearchResponse,
    SlideAttention,
    TextRegion,
    Vote,
)
from histoseek.search import attention_maps
from histoseek.search import differential as differentials
from histoseek.search import explanation as explanations
from histoseek.search import results as search_results
from histoseek.search.differential import Differential
from histoseek.search.phrases.results import PhraseResults
from histoseek.search.results import MatchingField, QueryInfo, SearchResult, SearchResults
from histoseek.search.scope import trays
from histoseek.search.scope.counts import FieldCounts
from histoseek.search.scope.listing import SlideList
from histoseek.search.scope.titles import make_title
from histoseek.server.http.notes import to_notes
from histoseek.slides.sources.registry import existing_source, source_name


def to_slide(record: SlideRecord) -> Slide:
    """A slide without the address of its file and the text of its report."""
    return Slide(
        slide_id=record.slide_id,
        title=make_title(record.slide_id, record.uri),
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
        extra={name: to_value(value) for name, value in record.extra.items()},
    )


def to_slide_listing(page: SlideList) -> SlideListing:
    """A page of slides."""
    return SlideListing(items=tuple(map(to_slide, page.records)), total=page.total, next=page.next)


def to_tray(tray: trays.Tray) -> Tray:
    """The slides of a patient or a case, and what their reports say."""
    return Tray(cases=tuple(map(_to_tray_case, tray.cases)), patients=tray.patients, total=tray.total)


def _to_tray_case(case: trays.TrayCase) -> TrayCase:
    reports = tuple(
        TrayReport(slide_ids=tuple(record.slide_id for record in report.records), report=to_report(report.records[0]))
        for report in case.reports
    )
    return TrayCase(case_id=case.case_id, slides=tuple(map(to_slide, case.records)), reports=reports)


def to_facet_field(counts: FieldCounts, most: int) -> FacetField:
    """What slides have in a field, of its values the most frequent ones."""
    values = [FacetValue(value=facet.value, count=facet.count) for facet in counts.values]
    bins = (FacetBin(minimum=_write(one.minimum), maximum=_write(one.maximum), count=one.count) for one in counts.bins)
    return FacetField(
        source=counts.source,
        field=counts.field,
        kind=counts.kind,
        values=tuple(values[:most]),
        more=max(0, len(values) - most),
        bins=tuple(bins),
        missing=counts.missing,
    )


def _write(bound: int | float | date) -> int | float | str:
    return bound.isoformat() if isinstance(bound, date) else bound


def to_value(value: MetadataValue) -> Value:
    """A metadata value as JSON has it: dates in ISO 8601, null for what is no number."""
    if isinstance(value, date):
        return value.isoformat()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def to_report(record: SlideRecord) -> Report:
    """The report of a slide with its sections and what it states; empty where there is none."""
    text = record.report or ""
    return Report(
        slide_id=record.slide_id,
        text=text,
        sections=tuple(ReportSection.model_validate(section) for section in split_sections(text).sections)
        if text
        else (),
        facts=tuple(_list_facts(text)) if text else (),
    )


def _list_facts(text: str) -> Iterator[ReportFact]:
    vocabulary = load_vocabulary()
    report = extract_facts(text, vocabulary)
    for mention in report.mentions:
        field, _, value = make_concept_token(mention, mention.concept_id, vocabulary).partition(":")
        yield ReportFact(field=field, value=value, start=mention.start, end=mention.end)
    for fact in list_values(report):
        yield ReportFact(field=fact.field, value=fact.value, start=fact.span.start, end=fact.span.end)


def to_search_response(results: SearchResults, refs: Sequence[SlideRef], key: str, k: int) -> SearchResponse:
    """The results; refs: the slides that the request named, in order; key: of the query, for feedback."""
    more = len(results) >= k
    return SearchResponse(
        query=to_query_echo(results.query, refs),
        query_key=key,
        mode=results.mode,
        elapsed_ms=results.elapsed_ms,
        results=tuple(to_result(result) for result in results),
        next_offset=results.query.offset + k if more else None,
        warnings=to_notes(results.warnings),
        left_out=results.left_out,
        nothing_fits=results.nothing_fits,
        field_um=results.field_um,
        calibrated_for=results.calibrated_for,
        labels=LabelDistribution.model_validate(results.labels) if results.labels else None,
        novelty=results.novelty,
        false_alarms=results.false_alarms,
        unlike=results.is_novel,
        vote=Vote.model_validate(results.vote_) if results.vote_ else None,
    )


def to_explain_response(result: SearchResult) -> ExplainResponse:
    """A result with its attention maps."""
    maps = result.attention
    return ExplainResponse(
        result=to_result(result),
        query_attention=_to_slide_attention(maps.query) if maps else None,
        result_attention=_to_slide_attention(maps.result) if maps else None,
    )


def to_phrases_response(results: PhraseResults, refs: Sequence[SlideRef]) -> PhrasesResponse:
    """The phrases; refs: the slides that the request named, in order."""
    return PhrasesResponse(
        query=to_query_echo(results.query, refs),
        measured_by=results.measured_by,
        elapsed_ms=results.elapsed_ms,
        results=tuple(PhraseResult.model_validate(result) for result in results),
        calibrated=results.calibrated,
        calibration_error=results.calibration_error,
        patients=results.patients,
        phrases=results.phrases,
        warnings=results.warnings,
    )


def to_differential_response(differential: Differential, refs: Sequence[SlideRef]) -> DifferentialResponse:
    """Diagnoses side by side; refs: the slides that the request named, in order."""
    return DifferentialResponse(
        query=to_query_echo(differential.query, refs),
        column=differential.column,
        elapsed_ms=differential.elapsed_ms,
        columns=tuple(_to_differential_column(column) for column in differential),
        warnings=to_notes(differential.warnings),
    )


def _to_differential_column(column: differentials.DifferentialColumn) -> DifferentialColumn:
    example = column.counter_example
    return DifferentialColumn(
        label=column.label,
        probability=column.probability,
        nearest=tuple(to_result(result) for result in column.nearest),
        counter_example=CounterExample(label=example.label, like=example.like, result=to_result(example.result))
        if example
        else None,
        reports=column.reports,
        terms=tuple(DistinguishingTerm.model_validate(term) for term in column.terms),
    )


def to_query_echo(info: QueryInfo, refs: Sequence[SlideRef]) -> QueryEcho:
    """The query as it was understood; slides in the request's order keep their upload's id."""
    uploads = [ref.upload_id for ref in refs] if len(refs) == len(info.slides) else [None] * len(info.slides)
    return QueryEcho(
        kind=info.kind,
        to=info.to,
        slides=tuple(
            QuerySlide(
                slide_id=slide.slide_id,
                upload_id=upload,
                name=make_title(slide.slide_id or "", slide.uri),
                spacing_um_per_px=slide.spacing_um_per_px,
            )
            for slide, upload in zip(info.slides, uploads, strict=True)
        ),
        regions=tuple(Region.model_validate(region) for region in info.regions),
        text=info.text,
        without=info.without,
        weight=info.weight,
        distance=info.distance,
        searched_for=info.searched_for,
    )


class _Regions(dict[Rect | None, Region | None]):
    """Regions by what they are made of: the pairs of an explanation have few different ones."""

    def __missing__(self, rect: Rect | None) -> Region | None:
        region = self[rect] = _to_region(rect) if rect else None
        return region


def to_result(result: SearchResult) -> Result:
    """One result."""
    fields, regions = tuple(_to_field_pair(field) for field in result.fields), _Regions()
    return Result(
        rank=result.rank,
        slide_id=result.slide_id,
        case_id=result.case_id,
        score=result.score,
        probability=result.probability,
        label_unknown=result.label_unknown,
        local=result.local,
        global_=result.global_,
        neighbours=result.neighbours,
        matches=tuple(_to_match(match, regions) for match in result.matches),
        ways=tuple(
            Channel(name=place.name, rank=place.rank, score=place.score, weight=place.weight)
            for place in result.channels
        ),
        query_slide=result.query_slide,
        also=result.also,
        explanation=_to_explanation(result.explanation, regions) if result.explanation else None,
        phrases=tuple(Phrase.model_validate(phrase) for phrase in result.phrases),
        text_regions=tuple(TextRegion.model_validate(region) for region in result.text_regions),
        matched_fields=result.matched_fields,
        region=regions[result.region],
        outline=result.outline,
        field=fields[0].field if fields else None,
        query_field=fields[0].query_field if fields else None,
        further_fields=fields[1:],
        closeness=result.closeness,
        case_parts=tuple(CasePart.model_validate(part) for part in result.case_parts),
        fits=result.fits,
        slide=to_slide(result.record),
        report_text=result.record.report,
    )


def _to_field_pair(shown: MatchingField) -> FieldPair:
    asked = _to_region(shown.query_region) if shown.query_region else None
    return FieldPair(field=_to_region(shown.region), query_field=asked)


def _to_region(rect: Rect) -> Region:
    return Region(x=rect.x, y=rect.y, width=rect.width, height=rect.height)


def _to_match(match: search_results.Match, regions: _Regions) -> Match:
    return Match(
        query_mosaic=match.query_mosaic,
        result_mosaic=match.result_mosaic,
        similarity=match.similarity,
        query_region=regions[match.query_region],
        result_region=regions[match.result_region],
        contribution=match.contribution,
    )


def _to_explanation(made: explanations.Explanation, regions: _Regions) -> Explanation:
    """Hundreds of pairs a page: dictionaries are read several times as fast as objects with attributes are."""
    pairs = tuple(
        {
            "query_mosaic": pair.query_mosaic,
            "result_mosaic": pair.result_mosaic,
            "distance": pair.distance,
            "share": pair.share,
            "query_region": regions[pair.query_region],
            "result_region": regions[pair.result_region],
        }
        for pair in made.pairs
    )
    return Explanation.model_validate(
        {
            "base": made.base,
            "global_": made.global_,
            "pairs": pairs,
            "context": made.context,
            "neighbours": made.neighbours,
            "other_pairs": OtherPairs(count=made.other_pairs.count, share=made.other_pairs.share),
        }
    )


def _to_slide_attention(slide: attention_maps.SlideAttention) -> SlideAttention:
    return SlideAttention(
        attention=_to_attention_map(slide.attention()), contribution=_to_attention_map(slide.contribution())
    )


def _to_attention_map(tiles: attention_maps.AttentionMap) -> AttentionMap:
    return AttentionMap(
        x=tuple(tiles.coords[:, 0].tolist()),
        y=tuple(tiles.coords[:, 1].tolist()),
        edge_level0=tiles.edge_level0,
        weights=tuple(tiles.weights.tolist()),
    )
