"""The same archive in a folder and in each engine: how many of 200 questions of all kinds have the same answers.

python benchmarks/same_answers.py FOLDER [--engines postgresql,s3,milvus] [--questions 200]
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.stores import SERVERS
from tests.archive.remote.answers import answer, list_questions, make_archive

from histoseek.api import Archive
from histoseek.settings import change_settings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--engines", default="postgresql,s3,milvus")
    parser.add_argument("--questions", type=int, default=200)
    given = parser.parse_args()
    os.environ["HISTOSEEK_CACHE_DIR"] = str(given.folder / "cache")
    given.folder.mkdir(parents=True, exist_ok=True)
    local = make_archive(given.folder)
    for engine in given.engines.split(","):
        place = given.folder / engine
        place.mkdir()
        with SERVERS[engine](place) as address:
            local.copy_to(address)
            compare(local, engine, address, given.questions)


def compare(local: Archive, engine: str, address: str, count: int) -> None:
    questions = list(list_questions(local, count))
    remote = Archive.open(address)
    same = [answer(local, one, exact=True) == answer(remote, one, exact=True) for one in questions]
    print(engine, f"{sum(same)} of {count} exact answers identical", flush=True)
    for name, bound in (("here", "8192"), ("by the server", "0")):
        change_settings(ranking_mb=bound)
        wanted = found = 0
        for one in questions:
            mine, other = (answer(each, one, candidates=60) for each in (local, Archive.open(address)))
            wanted, found = wanted + len(mine), found + len({i for i, _ in mine} & {i for i, _ in other})
        print(engine, f"of 60 candidates found {name}: recall@10 {found / wanted:.4f} of the folder's", flush=True)


if __name__ == "__main__":
    main()
