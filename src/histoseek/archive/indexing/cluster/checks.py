"""What is checked of a cluster's workers before the first slide, so that one line tells what would fail thousands."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import CancelledError
from dataclasses import replace
from time import monotonic
from typing import Any

from histoseek.archive.indexing.cluster.connection import ClusterConnection, find_deadline, pause
from histoseek.archive.indexing.cluster.job import ClusterJob, WorkerVersions
from histoseek.archive.indexing.cluster.worker import check_worker, compare_versions, tell_versions
from histoseek.archive.indexing.plan import PlannedSlide
from histoseek.errors import ClusterError, ClusterUnreachable, HistoseekError, UnsuitedWorker


def settle_job(
    connection: ClusterConnection, job: ClusterJob, workers: Collection[str], sample: PlannedSlide
) -> ClusterJob:
    """The job with the fingerprint of the tile encoder that all of these workers have, which are warm then.

    Raises UnsuitedWorker for the first that differs, EncoderError where one can't load the encoder. Workers that come
    later are checked by their first slide.
    """
    for worker, versions in _ask_each(connection, workers, tell_versions).items():
        if fault := compare_versions(job.versions, WorkerVersions(*versions)):
            raise UnsuitedWorker(worker, fault)
    answers = _ask_each(connection, workers, check_worker, job, sample)
    for worker, answer in answers.items():
        if isinstance(answer, HistoseekError):
            raise answer
        job = job if job.encoder else replace(job, encoder=answer)
        if answer != job.encoder:
            raise UnsuitedWorker(worker, f"its tile encoder is {answer}, that of others is {job.encoder}")
    return job


def _ask_each(
    connection: ClusterConnection, workers: Collection[str], ask: Callable[..., Any], *arguments: object
) -> Mapping[str, Any]:
    """The answer of each worker; none of those that went away meanwhile."""
    client, ends_s = connection.client, find_deadline()
    asked = {
        worker: client.submit(ask, *arguments, workers=[worker], allow_other_workers=False, pure=False)
        for worker in workers
    }
    answers: dict[str, Any] = {}
    while asked:
        present = connection.list_workers()
        for worker, future in list(asked.items()):
            if future.status == "pending" and worker in present and monotonic() < ends_s:
                continue
            del asked[worker]
            if future.status in ("finished", "error"):
                answers[worker] = _read_answer(connection, worker, future)
            elif future.status == "pending" and worker in present:
                raise UnsuitedWorker(worker, "it does not answer")
        if asked:
            pause()
    return answers


def _read_answer(connection: ClusterConnection, worker: str, future: Any) -> Any:
    try:
        return future.result()
    except ClusterError:
        raise
    except (OSError, CancelledError) as error:
        raise ClusterUnreachable(str(connection.address), type(error).__name__) from error
    except Exception as error:  # whatever a worker of another installation says
        raise UnsuitedWorker(worker, f"it can't run this histoseek ({type(error).__name__}: {error})") from error
