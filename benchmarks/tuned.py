"""What `histoseek tune` is worth: the tuned ranking beside plain ones, on all real tasks and across data sets.

Settings are chosen and fitted without the query's fold of patients (system `tuned` of `histoseek evaluate`). One
planned comparison a task, MAP@5 of tuned and mean-pooled, corrected by Holm over the tasks. Deterministic; minutes:
    python benchmarks/tuned.py DATA --out FOLDER [--task WORD]
Archives that --out has already (benchmarks/real/run.py makes the same) are used again.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from real.run import TASKS, Task, cell, image_archive, image_spec, metric, slug

from histoseek.evaluation.evaluate import evaluate
from histoseek.evaluation.outcome import Evaluation, save_evaluation
from histoseek.evaluation.significance import SystemComparison, holm
from histoseek.progress import show_progress

SYSTEMS = ("tuned", "mean-pooled", "symmetric", "hshr")
SHOWN = ("top-1", "mMV@5", "MAP@5")
PLANNED = "MAP@5"
REVERSED = replace(
    TASKS[-1], name="Lung across data sets, the other way round: TCGA tiles are asked by LC25000", query_site="LC25000"
)
ALL_TASKS = (*TASKS, REVERSED)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--task", default="", help="only tasks whose name has this in it")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    tasks = [task for task in ALL_TASKS if given.task.lower() in task.name.lower()]
    found = [(task, judge(task, given.data, given.out)) for task in tasks]
    planned = [select(comparisons(one)["mean-pooled"], PLANNED) for _, one in found]
    corrected = holm(np.array([one.p for one in planned])).tolist()
    print(f"| task | system | {' | '.join(SHOWN)} |\n{'| --- ' * (len(SHOWN) + 2)}|")
    for task, one in found:
        print("\n".join(rows(task, one)))
    print(f"\n| task | {PLANNED}, tuned less mean-pooled | p | Holm over tasks |\n| --- | --- | --- | --- |")
    for (task, _), one, p in zip(found, planned, corrected, strict=True):
        print(f"| {task.name} | {one.difference:+.3f} ({one.low:+.3f} to {one.high:+.3f}) | {one.p:.4f} | {p:.4f} |")


def judge(task: Task, data: Path, out: Path) -> Evaluation:
    # Both directions are asked of one archive.
    archive = image_archive(TASKS[-1] if task is REVERSED else task, data, out)
    spec = replace(image_spec(task, archive, out), systems=SYSTEMS, site_columns=())
    with show_progress(task.name) as reporter:
        found = evaluate(archive, spec, reporter)
    save_evaluation(found, out / f"tuned-{slug(task.name)}.json")
    return found


def comparisons(found: Evaluation) -> dict[str, tuple[SystemComparison, ...]]:
    """Tuned less each other system."""
    return dict(found.comparisons)


def select(compared: tuple[SystemComparison, ...], name: str) -> SystemComparison:
    return next(one for one in compared if one.metric == name)


def rows(task: Task, found: Evaluation) -> list[str]:
    """A system a line; in the others' cells the uncorrected p of the difference from tuned."""
    lines = []
    for result in found.results:
        cells = [cell(metric(result.scores.metrics, name)) for name in SHOWN]
        if result.name != "tuned":
            compared = comparisons(found)[result.name]
            cells = [f"{text}, p {select(compared, name).p:.3f}" for text, name in zip(cells, SHOWN, strict=True)]
        lines.append(f"| {task.name} | {result.name} | {' | '.join(cells)} |")
    return lines


if __name__ == "__main__":
    main()
