"""Queries as pathologists type them, asked of real reports: how many of the first ten are what was asked for.

The reports are those of benchmarks/report_sources.py (TCGA, 500 of each part of the patients). Each query has patterns
that a fitting report must have and others that it must not, over the raw text, and the cohort it is of: rules of the
author, no pathologist. A query counts by the share of right ones among its first ten, or as many as there are. Run:
    python benchmarks/typed_queries.py DATA --cache FOLDER [--reports 500]
"""

from __future__ import annotations

import argparse
import re
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from report_sources import DEPTH, Asked, CachedEncoder, Corpus, Part, list_systems, read_tcga

from histoseek.evaluation.significance import bootstrap

PARTS: tuple[Part, ...] = ("development", "held out")


@dataclass(frozen=True)
class Typed:
    """A query; cohort: of the reports that fit, "" for any; wanted, unwanted: patterns of their texts."""

    text: str
    cohort: str
    wanted: tuple[str, ...]
    unwanted: tuple[str, ...] = ()


def read_queries() -> list[Typed]:
    """Those of the file beside this one."""
    rows = tomllib.loads(Path(__file__).with_suffix(".toml").read_text())["queries"]
    return [Typed(row["text"], row["cohort"], tuple(row["wanted"]), tuple(row["unwanted"])) for row in rows]


def find_fitting(typed: Typed, texts: Mapping[str, str], cohorts: Mapping[str, str]) -> frozenset[str]:
    """The reports that a query asks for."""

    def has(pattern: str, text: str) -> bool:
        return re.search(pattern, text, re.IGNORECASE) is not None

    return frozenset(
        key
        for key, text in texts.items()
        if typed.cohort in ("", cohorts[key])
        and all(has(pattern, text) for pattern in typed.wanted)
        and not any(has(pattern, text) for pattern in typed.unwanted)
    )


def print_part(part: Part, data: Path, reports: int, encoder: CachedEncoder, folder: Path) -> None:
    rows = read_tcga(data, part, reports)
    texts = {f"t{i}": row["text"] for i, row in enumerate(rows)}
    cohorts = {f"t{i}": row["cohort"] for i, row in enumerate(rows)}
    corpus = Corpus(texts, encoder, folder)
    asked = [(typed, find_fitting(typed, texts, cohorts)) for typed in read_queries()]
    asked = [(typed, right) for typed, right in asked if right]
    shares = {name: [] for name in list_systems(corpus)}
    print(
        f"\n{part}: {len(texts)} reports\n\n| query | fitting | {' | '.join(shares)} |\n{'| --- ' * (len(shares) + 2)}|"
    )
    for typed, right in asked:
        query = Asked(typed.text, False, right, frozenset(), "")
        for name, search in list_systems(corpus).items():
            shares[name].append(len(right.intersection(search(query))) / min(DEPTH, len(right)))
        print(
            f"| {typed.text} | {len(right)} | {' | '.join(f'{own[-1]:.1f}' for own in shares.values())} |", flush=True
        )
    table = np.array(list(shares.values())).T
    low, high = bootstrap(table, np.arange(len(table)), 0)
    cells = (f"{m:.3f} ({a:.3f} to {b:.3f})" for m, a, b in zip(table.mean(0), low, high, strict=True))
    print(f"| **mean** | | {' | '.join(cells)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--reports", type=int, default=500)
    given = parser.parse_args()
    encoder = CachedEncoder(given.cache)
    with tempfile.TemporaryDirectory() as folder:
        for part in PARTS:
            print_part(part, given.data / "reports", given.reports, encoder, Path(folder) / part.replace(" ", "-"))


if __name__ == "__main__":
    main()
