"""What an archive on a server outlives: somebody writes and somebody searches while something happens to the server.

python benchmarks/server_faults.py FOLDER [--engines postgresql s3] [--faults kills cut stall failover clock full]

FOLDER is for what is made: a simulated cohort, an archive of it, its copy on the server, local copies. For each
fault a line: changes that were acknowledged; the slides that were changed, and in how many of them the
acknowledged value or a later one is found; commits that the store made (as many as were acknowledged: none lost,
none done twice); searches, those with other results than before; errors that users would have met; the longest
wait of either; what `verify --deep` finds. Servers are those of the tests, with flushing to the disk.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.servers.postgres import DATABASE, PASSWORD, USER, PostgresServer, start_postgres
from tests.servers.proxy import Proxy, start_proxy
from tests.servers.seaweedfs import SeaweedFS
from tests.servers.standby import promote, start_standby
from tests.servers.workload import Workload

from histoseek.api import Archive
from histoseek.simulate.cohort_spec import CohortSpec, write_cohort

KILLS, CUT_S, PAUSE_S = 10, 30.0, 1.0
COLUMNS = (
    "engine",
    "fault",
    "acknowledged",
    "slides",
    "found",
    "commits",
    "searches",
    "wrong",
    "errors",
    "longest_write_s",
    "longest_search_s",
    "problems",
)
DURABLE = {"fsync": "on", "full_page_writes": "on"}

Result = tuple[Workload, int, int]
"""What was done, in how many slides it was found, and how many problems `verify` found."""

Fault = Callable[[Path], Result]
"""Takes an archive's folder."""


def do_work(archive: Path, address: str, disturb: Callable[[Workload], None]) -> Result:
    """Copy an archive to a server, and disturb the work on it."""
    Archive.open(archive).copy_to(address)
    work = Workload(address)
    work.run(disturb)
    return work, work.count_found(), len(Archive.open(address).verify(deep=True).problems)


def make_address(*ports: int) -> str:
    hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
    return f"postgresql://{USER}:{PASSWORD}@{hosts}/{DATABASE}/faulty"


def kill_postgres(archive: Path) -> Result:
    with start_postgres(DURABLE) as server:

        def disturb(work: Workload) -> None:
            for _ in range(KILLS):
                server.kill()
                server.start()
                work.wait_for_more()

        return do_work(archive, make_address(server.port), disturb)


def cut_postgres(archive: Path, *, stall: bool = False) -> Result:
    with start_postgres(DURABLE) as server, start_proxy(server.port) as proxy:

        def disturb(_: Workload) -> None:
            proxy.stall() if stall else proxy.cut()
            time.sleep(CUT_S)
            proxy.mend()

        return do_work(archive, make_address(proxy.port), disturb)


def stall_postgres(archive: Path) -> Result:
    return cut_postgres(archive, stall=True)


def fail_over_postgres(archive: Path) -> Result:
    with start_postgres(DURABLE) as primary, start_standby(primary, DURABLE, synchronous=True) as standby:

        def disturb(work: Workload) -> None:
            primary.kill()
            searched = work.searches
            time.sleep(PAUSE_S)
            print(f"# {work.searches - searched} searches while there was no primary", flush=True)
            promote(standby)

        return do_work(archive, make_address(primary.port, standby.port), disturb)


def set_clock_back(archive: Path) -> Result:
    with start_postgres(DURABLE) as server:

        def disturb(work: Workload) -> None:
            now = time.time
            time.time = lambda: now() - 10 * 365 * 86_400
            try:
                work.wait_for_more()
            finally:
                time.time = now

        return do_work(archive, make_address(server.port), disturb)


def fill_postgres(archive: Path) -> Result:
    with start_postgres(DURABLE) as server, mount_small_disk(64) as folder:
        server.execute(f"CREATE TABLESPACE small LOCATION '{folder}'")
        server.execute(f"ALTER DATABASE {DATABASE} SET TABLESPACE small", "postgres")

        def disturb(work: Workload) -> None:
            fill(server)
            refused = len(work.refused)
            end_s = time.monotonic() + 30
            while len(work.refused) == refused and time.monotonic() < end_s:
                time.sleep(PAUSE_S)
            server.execute("DROP TABLE filling")

        return do_work(archive, make_address(server.port), disturb)


def fill(server: PostgresServer) -> None:
    """Leave no page of the disk."""
    import psycopg

    server.execute("CREATE TABLE filling (data bytea STORAGE PLAIN)")
    for bytes_ in (500_000, 50_000, 7_000):
        rows = bytes_ // 7_000 or 1
        try:
            for _ in range(1000):
                server.execute(
                    f"INSERT INTO filling SELECT decode(repeat('00', 7000), 'hex') FROM generate_series(1, {rows})"
                )
        except psycopg.errors.DiskFull:
            continue


@contextmanager
def mount_small_disk(megabytes: int) -> Iterator[Path]:
    folder = Path("/tmp") / f"histoseek-small-{os.getpid()}"
    folder.mkdir()
    options = f"size={megabytes}m,mode=700,uid=65534"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
        folder.rmdir()


@contextmanager
def start_seaweed(volumes: int = 1, replication: str = "000") -> Iterator[tuple[SeaweedFS, Proxy, str]]:
    """An object store, a proxy before it that clients use, and the address of an archive in it."""
    with SeaweedFS(volumes, replication) as server, start_proxy(server.port) as proxy:
        os.environ.update(server.environment)
        bucket = server.make_bucket()
        os.environ["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{proxy.port}"
        yield server, proxy, f"s3://{bucket}/faulty"


def kill_seaweed(archive: Path) -> Result:
    with start_seaweed() as (server, _, address):

        def disturb(work: Workload) -> None:
            for _ in range(KILLS):
                server.kill()
                server.start()
                work.wait_for_more()

        return do_work(archive, address, disturb)


def cut_seaweed(archive: Path, *, stall: bool = False) -> Result:
    with start_seaweed() as (_, proxy, address):

        def disturb(_: Workload) -> None:
            proxy.stall() if stall else proxy.cut()
            time.sleep(CUT_S)
            proxy.mend()

        return do_work(archive, address, disturb)


def stall_seaweed(archive: Path) -> Result:
    return cut_seaweed(archive, stall=True)


def lose_volume(archive: Path, volumes: int = 2, replication: str = "001") -> Result:
    """One of the volume servers is away for a while."""
    with start_seaweed(volumes, replication) as (server, _, address):

        def disturb(work: Workload) -> None:
            server.kill_volume(0)
            searched, written = work.searches, work.count
            time.sleep(CUT_S / 2)
            print(f"# {work.searches - searched} searches, {work.count - written} changes without it", flush=True)
            server.start_volume(0)

        return do_work(archive, address, disturb)


def lose_only_copies(archive: Path) -> Result:
    return lose_volume(archive, 2, "000")


ENGINES: Mapping[str, Mapping[str, Fault]] = {
    "postgresql": {
        "kills": kill_postgres,
        "cut": cut_postgres,
        "stall": stall_postgres,
        "failover": fail_over_postgres,
        "clock": set_clock_back,
        "full": fill_postgres,
    },
    "s3": {
        "kills": kill_seaweed,
        "cut": cut_seaweed,
        "stall": stall_seaweed,
        "volume": lose_volume,
        "volume, one copy": lose_only_copies,
    },
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--faults", nargs="+")
    arguments = parser.parse_args()
    cohort, archive = arguments.folder / "cohort", arguments.folder / "cohort.archive"
    if not archive.exists():
        write_cohort(CohortSpec(patients=5, slides_per_patient=2, sites=1, size_px=768), cohort)
        Archive.create(archive).index([cohort], cohort / "metadata.csv", cohort / "reports.csv")
    print(*COLUMNS, sep="\t")
    for engine in arguments.engines:
        for name in arguments.faults or ENGINES[engine]:
            work, found, problems = ENGINES[engine][name](archive)
            cells = (
                *(engine, name, work.count, len(work.acknowledged), found, work.commits),
                *(work.searches, work.wrong, len(work.refused) + len(work.unanswered)),
                *(f"{work.longest_write_s:.1f}", f"{work.longest_search_s:.1f}", problems),
            )
            print(*cells, sep="\t", flush=True)
            for text in sorted({*work.refused, *work.unanswered}):
                print(f"# {text}")


if __name__ == "__main__":
    main()
