"""What a server keeps of a slide and its report, byte by byte: while a job waits, after a kill, after the removal.

PYTHONPATH=src:. python benchmarks/attacks/server_copies.py FOLDER

FOLDER must not exist. A server is started on a free port of loopback and stopped at the end; a few simulated slides are
made. Prints for each stage in how many files of the server's own there is something that names the person (raw), and
something of the slide: its id, its report, its pixels. Runs in a minute or two, and ends by itself.
"""

from __future__ import annotations

import argparse
import shutil
import threading
from collections.abc import Mapping
from pathlib import Path

from tests.server.leftovers import METADATA, NAME, RAW, REPORT, WORD, find_leftovers, kill_runner, sample_pixels
from tests.server.running import RunningServer, serving
from tests.waiting import wait_for

from histoseek.api import Archive
from histoseek.client.client import Client
from histoseek.rest.queries import ReportQuery, TextQuery
from histoseek.rest.workspace import CollectionContent, CollectionItem, Job, Upload, UploadToIndex
from histoseek.simulate.cohort_spec import CohortSpec, write_cohort

_SETTLE_S = 3.0
_REMARK = b"a scanner's remark that no other file has, which readers of TIFF pass over"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder.resolve()
    archive, slide = make_archive(folder)
    options = ("--write", "--import-folder", str(folder / "import"))
    environment = {"TMPDIR": str(folder / "system")}
    with serving([archive], folder / "state", *options, environment=environment) as server, server.client() as client:
        attack(server, client, Attacked(folder, archive, slide))


class Attacked:
    """Where the server writes, and what is looked for there."""

    def __init__(self, folder: Path, archive: Path, slide: Path) -> None:
        self.archive, self.slide = archive, slide
        self.folders = [folder / name for name in ("state", "import", "system")]
        self.pixels = {"pixels": sample_pixels(slide)}
        self.of_slide: Mapping[str, bytes] = {WORD: WORD.encode(), **self.pixels}

    def show(self, stage: str, of_slide: Mapping[str, bytes] | None = None) -> None:
        """Print what lies where at this stage."""
        raw, rest = find_leftovers(self.folders, RAW), find_leftovers(self.folders, of_slide or self.of_slide)
        print(f"| {stage} | {_describe(raw)} | {_describe(rest)} |")


def attack(server: RunningServer, client: Client, attacked: Attacked) -> None:
    """Upload, wait, kill, index, use, remove, index the import folder again."""
    print("| stage | files with raw identifiers | files with something of the slide |\n| --- | --- | --- |")
    upload = client.upload(attacked.slide)
    with Archive.open(attacked.archive).writing():
        job = index(client, upload)
        wait_for(lambda: client.get_job(job.job_id).state == "running")
        attacked.show("job waits")
        kill_runner(server)
        end(client, job)
    client.delete_upload(upload.upload_id)
    settle()
    attacked.show("runner killed, upload deleted")
    end(client, index(client, client.upload(attacked.slide)))
    settle()
    attacked.show("indexed")
    slide_id = next(one.slide_id for one in client.list_slides("work") if one.diagnosis == METADATA["diagnosis"])
    use(client, slide_id)
    client.upload(attacked.slide)
    client.remove_slide("work", slide_id)
    settle()
    attacked.show("removed", {**attacked.of_slide, "id": slide_id.encode()})
    end(client, client.index("work"))
    back = [one.slide_id for one in client.list_slides("work") if one.diagnosis is None or one.slide_id == slide_id]
    print(f"\nslides that came back with the import folder: {len(back)}")


def make_archive(folder: Path) -> tuple[Path, Path]:
    """An archive of simulated slides, and one more slide whose name tells who the patient is."""
    for name in ("import", "system"):
        (folder / name).mkdir(parents=True)
    write_cohort(CohortSpec(patients=4, slides_per_patient=2, sites=1, size_px=768), folder / "cohort")
    slides = folder / "cohort"
    archive = Archive.create(folder / "work.archive")
    archive.index([slides], slides / "metadata.csv", slides / "reports.csv")
    slide = folder / f"{NAME}.tiff"
    shutil.copyfile(slides / "SIM-0002-00.tiff", slide)
    with slide.open("ab") as file:
        file.write(_REMARK)
    return archive.path, slide


def index(client: Client, upload: Upload) -> Job:
    return client.index("work", [UploadToIndex(upload_id=upload.upload_id, metadata=dict(METADATA), report=REPORT)])


def end(client: Client, job: Job) -> Job:
    return [*client.watch_job(job.job_id)][-1]


def use(client: Client, slide_id: str) -> None:
    """A collection, judgements, a picture, a map."""
    items = (CollectionItem(archive="work", slide_id=slide_id, note=f"Dr. Willoughby asked for {slide_id}"),)
    client.create_collection(CollectionContent(name="teaching", items=items))
    client.judge("work", TextQuery(text="carcinoma"), slide_id, True)
    client.judge("work", ReportQuery(text=client.get_report("work", slide_id).text), "SIM-0001-00", True)
    client.get_thumbnail("work", slide_id)
    client.get_map("work")


def settle() -> None:
    """Let the server tidy up behind a job."""
    threading.Event().wait(_SETTLE_S)


def _describe(leftovers: list[str]) -> str:
    files = {one.partition(" in ")[2] for one in leftovers}
    words = sorted({one.partition(" in ")[0] for one in leftovers})
    return f"{len(files)} ({', '.join(words)})" if files else "0"


if __name__ == "__main__":
    main()
