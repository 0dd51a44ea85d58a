"""What the neighbour graph costs: time and memory of a search with it, of building it, and of its update.

Slides are random vectors around random centres, a hundred slides each, of as many owners. Clusters lie so far apart
that the nearest of a slide are in its own, which lets the graph of 100,000 slides be put together from those of the
clusters; a sample of its lists is compared with a search of all pairs, and that is timed:
    PYTHONPATH=src python benchmarks/graph.py --slides 10000 30000 100000
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable

import numpy as np

from histoseek.archive.stores.rows import quantise
from histoseek.ranking import graph as graphs
from histoseek.ranking.diffusion import spread
from histoseek.ranking.graph import SPARE_NEIGHBOURS, NeighbourGraph
from histoseek.ranking.settings import DiffusionSettings
from histoseek.search.retrieve.scan import inner, products
from histoseek.statistics.clustering import normalise_rows

DIMENSION, CLUSTER, ADDED, QUERIES, SAMPLE = 1280, 100, 100, 12, 16
SETTINGS = DiffusionSettings(0.5, 8, 0.95)
CANDIDATES, SCREENED = 1000, 4000


def draw(slides: int) -> np.ndarray:
    """Vectors float32 [slides, 1280] of length one; neighbours in the list are of one cluster."""
    rng = np.random.default_rng(0)
    vectors = np.empty((slides, DIMENSION), np.float32)
    for start in range(0, slides, CLUSTER):
        centre = rng.standard_normal(DIMENSION, np.float32)
        noise = rng.standard_normal((min(CLUSTER, slides - start), DIMENSION), np.float32)
        vectors[start : start + CLUSTER] = normalise_rows(centre + noise)
    return vectors


def build_by_clusters(vectors: np.ndarray) -> NeighbourGraph:
    """The graph, each cluster on its own."""
    parts = []
    for start in range(0, len(vectors), CLUSTER):
        some = vectors[start : start + CLUSTER]
        part = NeighbourGraph.build(some, np.arange(len(some)), SETTINGS.neighbours + SPARE_NEIGHBOURS)
        parts.append((part.nearest + np.int32(start), part.cosines))
    return NeighbourGraph(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def measure(do: Callable[[int], object], times: int) -> str:
    """Medians of milliseconds by the clock, and of the processor, which others on the machine change less."""
    spent = []
    for number in range(times):
        started = np.array([time.perf_counter(), time.process_time()])
        do(number)
        spent.append(1000 * (np.array([time.perf_counter(), time.process_time()]) - started))
    return "{:.1f} ({:.1f})".format(*np.median(spent, axis=0))


def verify(graph: NeighbourGraph, vectors: np.ndarray, places: np.ndarray) -> None:
    """Compare some lists with a search of all pairs."""
    nearest, cosines = graphs._search(places, vectors, np.arange(len(vectors)), graph.nearest.shape[1])
    assert np.array_equal(nearest, graph.nearest[places])
    assert np.array_equal(cosines, graph.cosines[places])


def look(vectors: np.ndarray, codes: np.ndarray, scales: np.ndarray, query: np.ndarray) -> np.ndarray:
    """The nearest candidates as a search finds them: in eight bits, then in full; nearest first."""
    own, own_scale = quantise(query[None])
    rough = products(codes, own[0], np.arange(len(codes))) * (scales * own_scale[0])
    near = np.sort(np.argpartition(-rough, SCREENED)[:SCREENED])
    exact = inner(vectors, query, near)
    return near[np.argsort(-exact, kind="stable")[:CANDIDATES]]


def report(slides: int) -> None:
    """One line of figures."""
    vectors = draw(slides)
    owners = np.arange(slides)
    graph = build_by_clusters(vectors[:-ADDED])
    sample = np.sort(np.random.default_rng(1).choice(slides - ADDED, SAMPLE, replace=False))
    started = time.process_time()
    verify(graph, vectors[:-ADDED], sample)
    searched_s = time.process_time() - started
    started = time.process_time()
    updated = graph.update(np.arange(slides - ADDED), vectors, owners)
    update_s = time.process_time() - started
    verify(updated, vectors, np.concatenate([sample, np.arange(slides - SAMPLE, slides)]))
    codes, scales = quantise(vectors)
    queries = np.random.default_rng(2).choice(slides, QUERIES, replace=False)
    found = [look(vectors, codes, scales, vectors[query]) for query in queries]
    nodes = []

    def ask(number: int) -> None:
        left_out = np.zeros(slides, np.bool_)
        left_out[queries[number]] = True
        nearest = found[number][found[number] != queries[number]]
        nodes.append(len(spread(updated, vectors, vectors[queries[number]], nearest, left_out, SETTINGS).places))

    plain = measure(lambda number: look(vectors, codes, scales, vectors[queries[number]]), QUERIES)
    ask(0)
    spreading = measure(ask, QUERIES)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    size, whole_s = updated.bytes / 2**20, searched_s * slides / SAMPLE
    print(
        f"| {slides:,} | {plain} | {spreading} | {np.mean(nodes):.0f} | {size:.1f} | {update_s:.1f} "
        f"| {whole_s:.0f} | {peak:.1f} |",
        flush=True,
    )


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slides", type=int, nargs="+", default=[10_000, 30_000, 100_000])
    print(
        "| slides | candidates, ms (processor) | graph, ms more (processor) | slides of a neighbourhood | graph, MiB "
        "| 100 added, processor s | all built, processor s (from a sample) | peak, GiB |\n" + "| ---: " * 8 + "|"
    )
    for slides in parser.parse_args().slides:
        report(slides)


if __name__ == "__main__":
    main()
