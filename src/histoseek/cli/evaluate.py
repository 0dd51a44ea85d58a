"""`histoseek evaluate`: how well an archive retrieves, judged so that it can't flatter itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from histoseek.cli.align import print_recalls
from histoseek.cli.options import WhereOption
from histoseek.errors import ConfigurationError
from histoseek.terminal import Column, as_table, terminal_width

if TYPE_CHECKING:
    from collections.abc import Sequence

    from histoseek.evaluation.evaluate import EvaluationSpec
    from histoseek.evaluation.outcome import Evaluation
    from histoseek.evaluation.scores import MetricEstimate
    from histoseek.evaluation.significance import Comparison

_SHOWN = ("top-1", "mMV@3", "mMV@5", "recall@5", "MAP@5", "macro-F1")


def evaluate(
    archive: Annotated[
        Path | None, typer.Option("--archive", envvar="HISTOSEEK_ARCHIVE", help="The archive's folder.")
    ] = None,
    label: Annotated[str, typer.Option(help="Metadata column of the right answers.")] = "diagnosis",
    systems: Annotated[
        str | None, typer.Option(help="Comma-separated; the first is compared with the others; `all` for all.")
    ] = None,
    protocol: Annotated[
        str, typer.Option(help="leave-one-patient-out, leave-one-site-out, k-fold or fixed.")
    ] = "leave-one-patient-out",
    site_column: Annotated[str, typer.Option(help="Column of sites, scanners or data sets.")] = "site",
    folds: Annotated[int, typer.Option(help="Of k-fold.")] = 5,
    sets: Annotated[Path | None, typer.Option(help="CSV with slide_id and role (query, database) for `fixed`.")] = None,
    where: WhereOption = None,
    patient_is_slide: Annotated[
        bool, typer.Option("--patient-is-slide", help="Each slide is its own patient: only if that is true.")
    ] = False,
    colour: Annotated[
        list[str] | None, typer.Option("--colour", help="Column to colour the map of the archive by; repeatable.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same figures.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Folder for evaluation.json and evaluation.html.")] = None,
    compare: Annotated[
        tuple[Path, Path] | None, typer.Option(help="Compare the first systems of two evaluation.json.")
    ] = None,
) -> None:
    """Evaluate retrieval: leave one patient out, 95 % intervals over patients, chance, baselines, and a site check."""
    if compare is not None:
        _compare(*compare, seed)
        return
    from histoseek.evaluation.evaluate import DEFAULT_SYSTEMS, EvaluationSpec
    from histoseek.evaluation.protocols import ProtocolSpec

    if archive is None:
        raise ConfigurationError("evaluate", "needs --archive or --compare", "Name an archive's folder")
    spec = EvaluationSpec(
        label=label,
        systems=tuple(name.strip() for name in systems.split(",") if name.strip()) if systems else DEFAULT_SYSTEMS,
        protocol=ProtocolSpec(protocol, site_column, folds, sets, seed),  # type: ignore[arg-type]
        where=where,
        patient_is_slide=patient_is_slide,
        site_columns=(site_column,),
        map_columns=tuple(colour or ()),
        seed=seed,
    )
    _run(archive, spec, out)


def _run(path: Path, spec: EvaluationSpec, out: Path | None) -> None:
    from histoseek.api import Archive
    from histoseek.evaluation.evaluate import evaluate
    from histoseek.progress import terminal_progress

    archive = Archive.open(path)
    with terminal_progress("queries", total=None) as reporter:
        found = evaluate(archive, spec, reporter)
    if out is not None:
        from histoseek.evaluation.report.evaluation_page import write_evaluation

        write_evaluation(found, archive, out)
    _tell(found)
    if out is not None:
        print(f"page: {out / 'evaluation.html'}; figures: {out / 'evaluation.json'}")


def _tell(found: Evaluation) -> None:
    subject = found.subject
    print(
        f"{subject.slides} slides of {subject.patients} patients, {len(subject.classes)} labels ({subject.label}), "
        f"{subject.protocol}{f', where {subject.where}' if subject.where else ''}; 95 % intervals over patients"
    )
    for leak in found.leaks:
        print(f"leak: {leak.what}")
    for warning in found.warnings:
        print(f"note: {warning}")
    rows = [
        (result.name, *(_cell(_metric(result.scores.metrics, name)) for name in _SHOWN)) for result in found.results
    ]
    chance = found.results[0].scores.metrics
    rows.append(("chance", *(f"{_metric(chance, name).chance:.3f}" for name in _SHOWN)))
    print(as_table([Column("system", "text"), *(Column(name, "text") for name in _SHOWN)], rows, terminal_width()))
    for check in found.site_checks:
        print(check.sentence)
    if found.cross_modal:
        print_recalls(found.cross_modal)


def _metric(metrics: Sequence[MetricEstimate], name: str) -> MetricEstimate:
    return next(metric for metric in metrics if metric.name == name)


def _cell(metric: MetricEstimate) -> str:
    return f"{metric.value:.3f} ({metric.low:.2f} to {metric.high:.2f})"


def _compare(first: Path, second: Path, seed: int) -> None:
    from histoseek.evaluation.outcome import compare_saved

    names, found = compare_saved(first, second, seed)
    print(f"{names[0]} minus {names[1]}, paired by query, patients permuted:")
    _print_comparisons(found)


def _print_comparisons(found: Sequence[Comparison]) -> None:
    columns = [Column(name) for name in ("metric", "difference", "95 %", "p", "p (Holm)")]
    rows = []
    for one in found:
        interval = f"{one.low:+.3f} to {one.high:+.3f}"
        rows.append((one.metric, f"{one.difference:+.3f}", interval, f"{one.p:.4f}", f"{one.p_holm:.4f}"))
    print(as_table(columns, rows, terminal_width()))
