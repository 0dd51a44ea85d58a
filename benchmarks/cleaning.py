"""Cleaning: what of injected damage is mended, what is mended in sound texts, what it does to facts, and its time.

DATA/reports holds reg2025_reports.json, patchgastric_captions.csv, pathgen_sample_captions.json, tcga_reports.jsonl.gz.
Damage of each kind is put into one place of a sound text by a seeded generator. "mended": the text is as before (but
for case and white space); "wrong": it is neither as before nor as damaged. Facts: the share of the sound text's facts
that are read of the damaged one as it is, and of it when clean. Run:
    python benchmarks/cleaning.py DATA
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from unittest.mock import patch

from real_reports import read_reports

from histoseek.reports.cleaning.mends import CleanText
from histoseek.reports.concepts.cleaning import clean_report
from histoseek.reports.concepts.vocabulary import load_vocabulary
from histoseek.reports.facts import structured
from histoseek.reports.facts.report_facts import list_facts
from histoseek.statistics.intervals import wilson_interval

EACH = 400
_WORD = re.compile(r"[A-Za-z]+")
LETTERS = "abcdefghijklmnopqrstuvwxyz"
FURNITURE = ("Page 2 of 4", "IIIIII II III IIIIIIII I II", "UUID:0A1B2C3D-4E5F-4A6B-8C7D-0123456789AB", "(continued)")
Damage = Callable[[str, random.Random], str | None]


def glue_words(text: str, rng: random.Random) -> str | None:
    """Two words without the blank between them."""
    gaps = [match.end(1) for match in re.finditer(r"\b([a-z]{3,}) (?=[a-z]{3,})", text)]
    return _drop(text, rng.choice(gaps)) if gaps else None


def tear_word(text: str, rng: random.Random) -> str | None:
    """A word of eight letters and more with a blank in it."""
    words = [match for match in _WORD.finditer(text) if len(match.group()) >= 8]
    if not words:
        return None
    word = rng.choice(words)
    place = rng.randrange(word.start() + 3, word.end() - 2)
    return f"{text[:place]} {text[place:]}"


def confuse_letters(text: str, rng: random.Random) -> str | None:
    """Letters that look alike, in a word of six and more."""
    pairs = (("m", "rn"), ("l", "I"), ("l", "1"), ("i", "l"), ("o", "0"), ("d", "cl"), ("t", "f"), ("e", "c"))
    words = [match for match in _WORD.finditer(text) if len(match.group()) >= 6]
    places = [
        (match.start() + index, pair)
        for match in words
        for pair in pairs
        for index in range(len(match.group()))
        if match.group()[index] == pair[0]
    ]
    if not places:
        return None
    place, (_, seen) = rng.choice(places)
    return text[:place] + seen + text[place + 1 :]


def misspell_term(text: str, rng: random.Random) -> str | None:
    """A letter left out, doubled or replaced, or two swapped, in a word of the vocabulary with eight and more."""
    terms = load_vocabulary().spellings
    words = [match for match in _WORD.finditer(text) if len(match.group()) >= 8 and match.group().lower() in terms]
    if not words:
        return None
    word = rng.choice(words)
    place = rng.randrange(word.start() + 1, word.end() - 1)
    swapped = text[:place] + text[place + 1] + text[place] + text[place + 2 :]
    replaced = text[:place] + rng.choice(LETTERS) + text[place + 1 :]
    damaged = rng.choice((_drop(text, place), text[:place] + text[place] + text[place:], replaced, swapped))
    return damaged if damaged != text else None


def insert_furniture(text: str, rng: random.Random) -> str | None:
    """A page's end within the text."""
    gaps = [match.start() for match in re.finditer(" ", text)]
    if not gaps:
        return None
    place = rng.choice(gaps)
    return f"{text[:place]}\n{rng.choice(FURNITURE)}\n{text[place + 1 :]}"


KINDS: dict[str, Damage] = {
    "glued words": glue_words,
    "torn word": tear_word,
    "letters that look alike": confuse_letters,
    "misspelt term": misspell_term,
    "page furniture": insert_furniture,
}


def _drop(text: str, place: int) -> str:
    return text[:place] + text[place + 1 :]


def read_sound_texts(data: Path) -> dict[str, list[str]]:
    """The distinct texts of each source."""
    reg = json.loads((data / "reg2025_reports.json").read_text())
    rows = reg if isinstance(reg, list) else list(reg.values())
    with (data / "patchgastric_captions.csv").open() as file:
        captions = list(csv.DictReader(file))
    column = "text" if "text" in captions[0] else "caption"
    pathgen = [row["caption"] for row in json.loads((data / "pathgen_sample_captions.json").read_text())]
    return {
        "REG": sorted({row["report"] if isinstance(row, dict) else row for row in rows}),
        "PatchGastric": sorted({row[column] for row in captions}),
        "PathGen captions": sorted(set(pathgen)),
    }


def read_facts(text: str, is_clean: bool) -> set[str]:
    """The facts of a text, read as it is or from the clean text."""
    vocabulary = load_vocabulary()
    if is_clean:
        return set(list_facts(structured.extract_facts(text, vocabulary), vocabulary))
    with patch.object(structured, "clean_report", lambda text, *_: CleanText(text, (), text)):
        return set(list_facts(structured.extract_facts(text, vocabulary), vocabulary))


def measure_damage(name: str, damage: Damage, texts: Sequence[str]) -> str:
    """One row of the table."""
    rng = random.Random(f"cleaning {name}")
    pairs: list[tuple[str, str]] = []
    for _ in range(20 * EACH):
        text = rng.choice(texts)
        damaged = damage(text, rng)
        if damaged is not None:
            pairs.append((text, damaged))
        if len(pairs) == EACH:
            break
    mended = wrong = kept_as_is = kept_clean = stated = 0
    for text, damaged in pairs:
        clean = clean_report(damaged).text
        mended += _even_out(clean) == _even_out(text)
        wrong += _even_out(clean) not in {_even_out(text), _even_out(damaged)}
        facts = read_facts(text, is_clean=False)
        stated += len(facts)
        kept_as_is += len(facts & read_facts(damaged, is_clean=False))
        kept_clean += len(facts & read_facts(damaged, is_clean=True))
    low, high = wilson_interval(mended / len(pairs), len(pairs))
    share = f"{mended / len(pairs):.3f} ({low:.3f} to {high:.3f}) | {wrong / len(pairs):.3f}"
    return f"| {name} | {len(pairs)} | {share} | {kept_as_is / stated:.3f} | {kept_clean / stated:.3f} |"


def _even_out(text: str) -> str:
    return " ".join(text.lower().split())


def measure_false_alarms(name: str, texts: Sequence[str]) -> str:
    """Mends in sound texts, of which some have a misspelt word of their own."""
    words = sum(len(text.split()) for text in texts)
    mends = sum(len(clean_report(text).mends) for text in texts)
    return f"| {name} | {len(texts)} | {words} | {mends} | {1000 * mends / words:.2f} |"


def measure_time(data: Path) -> str:
    """Milliseconds for 6,600 characters of real reports, in one process, each text for the first time."""
    texts = [report["text"] for report in read_reports(data.parent)[:400]]
    for text in texts[:100]:
        clean_report(text)
    begun = time.process_time()
    for text in texts[100:]:
        clean_report(text)
    per_report = (time.process_time() - begun) / sum(map(len, texts[100:])) * 6600
    return f"{1000 * per_report:.1f} ms of CPU time for 6,600 characters"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    data = parser.parse_args().data / "reports"
    texts = read_sound_texts(data)
    mixed = [text for source in texts.values() for text in source[:900]]
    print(
        "| damage | texts | mended | wrong | facts as it is | facts when clean |\n| --- | --- | --- | --- | --- | --- |"
    )
    for name, damage in KINDS.items():
        print(measure_damage(name, damage, mixed), flush=True)
    print("\n| sound texts | texts | words | mends | a thousand words |\n| --- | --- | --- | --- | --- |")
    for name, source in texts.items():
        print(measure_false_alarms(name, source), flush=True)
    print(f"\n{measure_time(data)}")


if __name__ == "__main__":
    main()
