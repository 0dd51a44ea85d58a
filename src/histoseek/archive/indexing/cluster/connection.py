"""The connection to a cluster: to a scheduler that runs, or to one that is started for as long as it is needed."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from histoseek.archive.indexing.cluster.address import LOCAL, ClusterAddress
from histoseek.errors import ClusterUnreachable, ConfigurationError, MissingExtra, NoWorkers
from histoseek.progress import Reporter
from histoseek.settings import get_settings

if TYPE_CHECKING:
    from distributed import Client, Security
    from distributed.deploy.spec import SpecCluster

_CONNECT_S = 10.0
_PAUSE_S = 0.2
_THREADS = 2
"""Of a worker: one slide is prepared while another is encoded."""

_DEATHS = 1
"""Workers that may die of a slide, besides the first, where the scheduler is ours."""

_SCHEDULER: Mapping[str, Any] = {
    "allowed_failures": _DEATHS,
    # Dask always has pages; by themselves they would be where the workers are, on a port that others want.
    "dashboard": False,
    "dashboard_address": "127.0.0.1:0",
}

_WORKER = "histoseek.archive.indexing.cluster.worker"
_GPU = "GPU"
_GPU_OF_A_SLIDE = 0.5


class ClusterConnection:
    """A client of a scheduler, which may be replaced by one that answers where the scheduler was restarted."""

    def __init__(self, address: ClusterAddress, cluster: SpecCluster | None) -> None:
        self.address = address
        self._cluster = cluster
        self._client: Client | None = None

    @property
    def client(self) -> Client:
        """The client in use; raises ClusterUnreachable where the scheduler can't be reached."""
        if self._client is None:
            self._client = _make_client(self.address, self._cluster)
        return self._client

    def renew(self, deadline_s: float) -> None:
        """Connect anew, as often as it takes; raises ClusterUnreachable after this time (of `time.monotonic`)."""
        while True:
            self.close()
            try:
                self.client.scheduler_info()
                return
            except ClusterUnreachable:
                if time.monotonic() > deadline_s:
                    raise
                pause()

    def close(self) -> None:
        """End the connection; what is still asked of workers is cancelled by that."""
        client, self._client = self._client, None
        if client is not None:
            with suppress(Exception):  # of a connection that is lost already
                client.close(timeout=2)

    def list_workers(self) -> Mapping[str, Mapping[str, Any]]:
        """What the scheduler knows of each worker, by address; none where it can't be asked."""
        try:
            return self.client.scheduler_info()["workers"]
        except (TimeoutError, OSError, ClusterUnreachable):
            return {}

    def wait_for_workers(self, slides: int, reporter: Reporter) -> Mapping[str, Mapping[str, Any]]:
        """The workers, as soon as there are any; raises NoWorkers after HISTOSEEK_CLUSTER_MINUTES, and
        ClusterUnreachable at once."""
        ends_s, is_noted = find_deadline(), self.client is None
        while not (workers := self.list_workers()):
            if time.monotonic() > ends_s:
                raise NoWorkers(str(self.address), slides, get_settings().cluster_minutes)
            if not is_noted:
                reporter.note(f"waiting for workers of {self.address}")
                is_noted = True
            pause()
        return workers


def find_deadline() -> float:
    """Until when to wait for what a cluster lacks, by `time.monotonic`."""
    return time.monotonic() + 60 * get_settings().cluster_minutes


def pause() -> None:
    """Wait for a moment before a cluster is asked again."""
    threading.Event().wait(_PAUSE_S)


def count_slots(workers: Mapping[str, Mapping[str, Any]]) -> int:
    """How many slides workers take at once: where any of them declare GPUs, those alone."""
    gpus = sum(count_gpus(worker) for worker in workers.values())
    return int(gpus / _GPU_OF_A_SLIDE) if gpus else sum(int(worker["nthreads"]) for worker in workers.values())


def find_resources(workers: Mapping[str, Mapping[str, Any]]) -> dict[str, float] | None:
    """What a slide needs of a worker."""
    return {_GPU: _GPU_OF_A_SLIDE} if any(map(count_gpus, workers.values())) else None


def count_gpus(worker: Mapping[str, Any]) -> float:
    """How many of them a worker declares."""
    return float(worker.get("resources", {}).get(_GPU, 0))


@contextmanager
def open_cluster(address: ClusterAddress) -> Iterator[ClusterConnection]:
    """A connection, with the cluster itself where it is to be started; ends both.

    Raises MissingExtra, ClusterUnreachable, and ConfigurationError for a batch system without its settings.
    """
    try:
        import distributed  # noqa: F401
    except ImportError as error:
        raise MissingExtra("distributed", "cluster") from error
    with ExitStack() as stack:
        stack.enter_context(_silencing("distributed"))
        cluster = None if address.is_scheduler else stack.enter_context(_start_cluster(address))
        connection = ClusterConnection(address, cluster)
        stack.callback(connection.close)
        yield connection


def _make_client(address: ClusterAddress, cluster: SpecCluster | None) -> Client:
    from distributed import Client

    try:
        if cluster is None:
            _require_listener(address)
        return Client(cluster or address.text, timeout=_CONNECT_S, set_as_default=False)
    except Exception as error:  # of sockets, TLS, or of what answers there and is no scheduler
        reason = f"no answer within {_CONNECT_S:g} s" if isinstance(error, TimeoutError) else str(error)
        raise ClusterUnreachable(str(address), _find_cause(error) or reason) from error


def _require_listener(address: ClusterAddress) -> None:
    """Raise OSError where nobody listens: Dask would go on trying."""
    parts = urlsplit(address.text)
    with socket.create_connection((parts.hostname, parts.port or 0), _CONNECT_S):
        pass


def _find_cause(error: BaseException) -> str:
    """What is at the bottom of an error of connecting, "" where only that it took too long."""
    while error.__cause__ is not None:
        error = error.__cause__
    return "" if isinstance(error, TimeoutError) else str(error)


@contextmanager
def _start_cluster(address: ClusterAddress) -> Iterator[SpecCluster]:
    cluster = _start_local(address.count) if address.kind == LOCAL else _start_batch(address)
    try:
        yield cluster
    finally:
        cluster.close(timeout=10)


def _start_local(count: int) -> SpecCluster:
    from distributed import LocalCluster

    threads = get_settings().threads or max(1, (os.cpu_count() or 1) // count)
    return LocalCluster(
        n_workers=count,
        threads_per_worker=_THREADS,
        host="127.0.0.1",
        dashboard_address=None,
        security=_make_security(),
        memory_limit=None,
        preload=[_WORKER],
        silence_logs=logging.CRITICAL,
        scheduler_kwargs=_SCHEDULER,
        env={"HISTOSEEK_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)},
    )


def _start_batch(address: ClusterAddress) -> SpecCluster:
    try:
        import dask_jobqueue
    except ImportError as error:
        raise MissingExtra("dask-jobqueue", "cluster") from error
    from distributed import Security

    kinds: dict[str, Callable[..., SpecCluster]] = {
        "slurm": dask_jobqueue.SLURMCluster,
        "pbs": dask_jobqueue.PBSCluster,
        "lsf": dask_jobqueue.LSFCluster,
    }
    security = Security()  # as Dask's settings say
    secured = {"security": security, "protocol": "tls://"} if security.tls_scheduler_cert else {}
    try:
        cluster = kinds[address.kind](scheduler_options=dict(_SCHEDULER), **secured)
    except (ValueError, TypeError) as error:
        advice = f"Set jobqueue.{address.kind} in ~/.config/dask/jobqueue.yaml (docs/cluster.md)"
        raise ConfigurationError(f"--cluster {address}", f"{error}", advice) from error
    cluster.adapt(minimum_jobs=address.count, maximum_jobs=address.count)
    return cluster


def _make_security() -> Security | None:
    """Keys for this run alone, where the package `cryptography` can make them; else nothing but the loopback device
    keeps other users of the machine away."""
    from distributed import Security

    try:
        return Security.temporary()
    except ImportError:
        return None


@contextmanager
def _silencing(name: str) -> Iterator[None]:
    """Keep a library's log of lost connections from the terminal: what matters becomes an error of ours."""
    names = [name, *(known for known in logging.root.manager.loggerDict if known.startswith(f"{name}."))]
    loggers = [logging.getLogger(known) for known in names]  # Dask gives some of them levels of their own
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
