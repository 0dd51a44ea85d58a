"""Which sentences of real reports the visible text holds, against labels read by hand.

Labels (tests/reports/visible_labels.tsv: patient, place in the report, 1 where an H&E slide can show what it says; no
text; one reader, no pathologist) are of development reports only. Samples: "kept before" are sentences that the rules
of before kept, "any" are of all sentences, "second" were drawn by the rules half-way; the rules were mended on these.
"fresh kept" and "fresh dropped" were drawn by the final rules and nothing was changed for them: kept before is of these
only what both rules keep, so that their column is no fair one. The last line weighs the two by how many sentences of
their reports are kept. DATA/reports holds tcga_reports.jsonl.gz. Run:
    python benchmarks/visible.py DATA
"""

from __future__ import annotations

import argparse
import csv
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from real_reports import read_first_texts

from histoseek.reports.language.sections import split_sections
from histoseek.reports.visible.rules import Verdict, judge_sentences
from histoseek.statistics.intervals import wilson_interval

LABELS = Path(__file__).parents[1] / "tests" / "reports" / "visible_labels.tsv"


@dataclass(frozen=True)
class Label:
    """A sentence at its place in a report; was_kept: by the rules of before."""

    sample: str
    patient_id: str
    start: int
    end: int
    was_kept: bool
    is_visible: bool


def read_labels(path: Path = LABELS) -> tuple[Label, ...]:
    with path.open(newline="") as lines:
        return tuple(
            Label(
                *(row["sample"], row["patient_id"], int(row["start"]), int(row["end"])),
                *(row["kept_before"] == "1", row["visible"] == "1"),
            )
            for row in csv.DictReader(lines, delimiter="\t")
        )


def judge_place(label: Label, verdicts: Sequence[Verdict]) -> str | None:
    """The rule that drops most of a labelled sentence, however sentences are split; None: most of it is kept."""
    covered: Counter[str | None] = Counter()
    for verdict in verdicts:
        shared = min(verdict.sentence.end, label.end) - max(verdict.sentence.start, label.start)
        covered[verdict.rule] += max(0, shared)
    return None if 2 * covered[None] > label.end - label.start else covered.most_common(1)[0][0] or "little of it"


def to_share(hits: int, of: int) -> str:
    low, high = wilson_interval(hits / of, of) if of else (0.0, 0.0)
    return f"{hits}/{of} = {hits / of if of else 0:.2f} ({low:.2f} to {high:.2f})"


def weigh_fresh(kept: Sequence[Label], dropped: Sequence[Label], verdicts: Mapping[str, Sequence[Verdict]]) -> None:
    """Print precision and recall over all sentences; the bounds of recall take both shares at their worst and best."""
    judged = [verdict for label in {*kept, *dropped} for verdict in verdicts[label.patient_id]]
    share = sum(verdict.is_visible for verdict in judged) / len(judged)
    shares = [sum(label.is_visible for label in sample) / len(sample) for sample in (kept, dropped)]
    (kept_low, kept_high), (lost_low, lost_high) = (
        wilson_interval(value, len(sample)) for value, sample in zip(shares, (kept, dropped), strict=True)
    )
    recalls = [
        visible * share / (visible * share + lost * (1 - share))
        for visible, lost in (shares, (kept_low, lost_high), (kept_high, lost_low))
    ]
    print(f"\nFresh, weighted ({share:.1%} of the sentences are kept): precision {shares[0]:.2f}", end=" ")
    print(f"({kept_low:.2f} to {kept_high:.2f}), recall {recalls[0]:.2f} ({recalls[1]:.2f} to {recalls[2]:.2f})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--errors", action="store_true", help="list what is wrong now")
    options = parser.parse_args()
    labels = read_labels()
    texts = read_first_texts(options.data)
    patient_ids = {label.patient_id for label in labels}
    verdicts = {patient_id: judge_sentences(split_sections(texts[patient_id])) for patient_id in patient_ids}
    rules = {label: judge_place(label, verdicts[label.patient_id]) for label in labels}
    samples: defaultdict[str, list[Label]] = defaultdict(list)
    for label in labels:
        samples[label.sample].append(label)
    print("| sample | sentences | visible | precision before | recall before | precision now | recall now |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name, members in samples.items():
        visible = sum(label.is_visible for label in members)
        cells = []
        before = [label for label in members if label.was_kept]
        for kept in (before, [label for label in members if rules[label] is None]):
            hits = sum(label.is_visible for label in kept)
            cells += [to_share(hits, len(kept)), to_share(hits, visible)]
        print(f"| {name} | {len(members)} | {visible} | {' | '.join(cells)} |")
    weigh_fresh(samples["fresh kept"], samples["fresh dropped"], verdicts)
    if options.errors:
        for label in labels:
            if (rules[label] is None) != label.is_visible:
                text = " ".join(texts[label.patient_id][label.start : label.end].split())
                print(f"{label.sample}, {label.patient_id}, {rules[label] or 'kept'}: {text[:160]}")


if __name__ == "__main__":
    main()
