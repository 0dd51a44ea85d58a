"""De-identification: made-up identifiers of eight countries, and what goes that should stay in 800 real reports.

The hard set (tests/reports/hard_identifiers.toml): recall by country and category, precision, look-alikes left alone;
half of it was held out from tuning. Real reports (DATA/reports/tcga_reports.jsonl.gz): 400 whose patients were read in
tuning and 400 others (by the SHA-256 of the patient's id). They carry UUIDs and barcodes, found for the count by plain
patterns of their own; names were blacked out before, so nearly all else that goes is a false removal. Run:
    PYTHONPATH=. python benchmarks/deidentification.py DATA [--presidio] [--reports N]
--presidio adds Presidio alone, and beside our rules, in an environment that has it (`histoseek[presidio]`).
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path

from real_reports import is_held_out, read_reports

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.reports.hard_identifiers import Outcome, judge, list_alarms, load_cases

from histoseek.reports.concepts.vocabulary import load_vocabulary
from histoseek.reports.language.headings import load_headings
from histoseek.reports.privacy.deidentify import deidentify
from histoseek.reports.privacy.identifiers.identifier_kinds import Identifier, IdentifierKind
from histoseek.statistics.intervals import wilson_interval

Reader = Callable[[str], Sequence[Identifier]]
UUID = re.compile(r"U[UO0][I1l|][DbO0]\W{0,4}((?:[0-9A-Za-z$@?&](?:[^0-9A-Za-z\n]{0,4}|-\s{0,2})){32})")
BARCODE = re.compile(r"(?:T[CO0]?G|CG|re?G|le?G)A\W{1,3}([A-Z0-9\]]{1,2}\W{1,3}[A-Z0-9]{3,5})(?![a-z0-9])")
STAGE_AND_GRADE = """
stage grade grading score figo ajcc who iii iv egfr bilateral left right specimen margin tumor tumour
"""


def measure_hard_set(name: str, read: Reader) -> None:
    """Recall and look-alikes by half, country and category, with Wilson intervals."""
    for held_out in (False, True):
        outcomes: list[Outcome] = []
        removed = alarms = 0
        for case in load_cases():
            if case.held_out == held_out:
                spans = [(span.start, span.end) for span in read(case.text)]
                outcomes += judge(case, spans)
                removed += len(spans)
                alarms += len(list_alarms(case, spans))
        identifiers = [outcome for outcome in outcomes if outcome.mark.kind != "keep"]
        kept = [outcome for outcome in outcomes if outcome.mark.kind == "keep"]
        print(f"\n{name}, hard set, {'held out' if held_out else 'development'}")
        print(f"  recall {describe(outcome.is_right for outcome in identifiers)}")
        print(f"  precision {describe([True] * (removed - alarms) + [False] * alarms)}")
        print(f"  look-alikes left alone {describe(outcome.is_right for outcome in kept)}")
        for title, key in (("country", country_of), ("category", category_of)):
            groups: dict[str, list[bool]] = defaultdict(list)
            for outcome in identifiers:
                groups[key(outcome)].append(outcome.is_right)
            print(f"  by {title}: " + "; ".join(f"{group} {describe(groups[group])}" for group in sorted(groups)))


def measure_real_reports(name: str, read: Reader, texts: Sequence[str], part: str) -> None:
    """Ids that went, and what went that is no id of these reports."""
    uuids: list[bool] = []
    barcodes: list[bool] = []
    kinds: Counter[str] = Counter()
    medical = reports_with_any = 0
    started = time.perf_counter()
    for text in texts:
        spans = read(text)
        gone = frozenset(at for span in spans for at in range(span.start, span.end))
        uuids += [is_gone(text, match.start(1), match.end(1), gone) for match in UUID.finditer(text)]
        barcodes += [is_gone(text, match.start(1), match.end(1), gone) for match in BARCODE.finditer(text)]
        others = [span for span in spans if span.kind is not IdentifierKind.ID]
        kinds.update(span.kind.value for span in others)
        medical += sum(holds_medical_word(text[span.start : span.end]) for span in others)
        reports_with_any += bool(others)
    seconds = time.perf_counter() - started
    print(f"\n{name}, {len(texts)} real reports, {part} ({1000 * seconds / len(texts):.0f} ms a report)")
    print(f"  UUIDs gone {describe(uuids)}; barcodes gone {describe(barcodes)}")
    print(f"  removals that are no ids: {sum(kinds.values())} ({dict(kinds)}); with a word of medicine: {medical}")
    with_any = [True] * reports_with_any + [False] * (len(texts) - reports_with_any)
    print(f"  reports with any such removal {describe(with_any)}")


def is_gone(text: str, start: int, end: int, gone: frozenset[int]) -> bool:
    """Whether nine in ten letters and digits of a range were removed: patterns of torn ids end a character too late."""
    places = [at for at in range(start, end) if text[at].isalnum()]
    return sum(at in gone for at in places) >= 0.9 * len(places)


def holds_medical_word(text: str) -> bool:
    """Whether a removed range holds a word of the vocabulary, of a heading, a stage or a grade, names among them."""
    words = re.findall(r"[^\W\d_]{3,}", text.lower())
    return any(word in load_medical_words() for word in words)


@cache
def load_medical_words() -> frozenset[str]:
    vocabulary = load_vocabulary()
    texts = [surface.text for concept in vocabulary.concepts for surface in vocabulary.list_surfaces(concept)]
    texts += [*load_headings().section_of, STAGE_AND_GRADE]
    return frozenset(word for text in texts for word in re.findall(r"[^\W\d_]{3,}", text.lower()))


def country_of(outcome: Outcome) -> str:
    return outcome.case.country


def category_of(outcome: Outcome) -> str:
    return f"{outcome.mark.kind}/{outcome.mark.category}"


def describe(results: Iterable[bool]) -> str:
    """ "12/14 .857 (.601 to .960)" with Wilson's interval."""
    values = list(results)
    if not values:
        return "none"
    count, right = len(values), sum(values)
    low, high = wilson_interval(right / count, count)
    return f"{right}/{count} {right / count:.3f} ({low:.3f} to {high:.3f})"


def load_texts(folder: Path, held_out: bool, count: int) -> list[str]:
    """The texts of one part, in an order that has nothing to do with them."""
    part = [row for row in read_reports(folder) if is_held_out(row["patient_id"]) == held_out]
    return [row["text"] for row in sorted(part, key=lambda row: digest("order" + row["patient_id"]))[:count]]


def digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def list_readers(with_presidio: bool) -> dict[str, Reader]:
    readers: dict[str, Reader] = {"rules": lambda text: deidentify(text).spans}
    if with_presidio:
        from histoseek.reports.privacy.presidio import KIND_OF, LEAST_SCORE, load_presidio

        second = load_presidio()

        def read_alone(text: str) -> list[Identifier]:
            results = second.analyser.analyze(text=text, language="en", entities=list(KIND_OF))
            return merge([(r.start, r.end, KIND_OF[r.entity_type]) for r in results if r.score >= LEAST_SCORE])

        readers["Presidio alone"] = read_alone
        readers["rules and Presidio"] = lambda text: deidentify(text, second=second).spans
    return readers


def merge(spans: Iterable[tuple[int, int, IdentifierKind]]) -> list[Identifier]:
    merged: list[Identifier] = []
    for start, end, kind in sorted(spans, key=lambda span: (span[0], -span[1])):
        if merged and start < merged[-1].end:
            merged[-1] = Identifier(merged[-1].start, max(end, merged[-1].end), merged[-1].kind)
        else:
            merged.append(Identifier(start, end, kind))
    return merged


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--presidio", action="store_true")
    parser.add_argument("--reports", type=int, default=400, help="real reports of each part")
    arguments = parser.parse_args()
    for name, read in list_readers(arguments.presidio).items():
        measure_hard_set(name, read)
        for held_out, part in ((False, "development"), (True, "held out")):
            measure_real_reports(name, read, load_texts(arguments.data, held_out, arguments.reports), part)


if __name__ == "__main__":
    main()
