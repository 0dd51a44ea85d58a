"""What archives take on disk and for ranking, over their number of slides: computed from what one slide takes.

python benchmarks/growth.py docs/figures/archive-growth.svg [--dimension 1280] [--mosaic 16] [--report 2000]
"""

from __future__ import annotations

import argparse
from pathlib import Path

SLIDES = [10**power for power in range(4, 8)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("figure", type=Path)
    parser.add_argument("--dimension", type=int, default=1280)
    parser.add_argument("--mosaic", type=int, default=16)
    parser.add_argument("--report", type=int, default=2000, help="bytes of a report")
    given = parser.parse_args()
    sizes = count_bytes(given.dimension, given.mosaic, given.report)
    for name, each in sizes.items():
        print(name, each, *(f"{each * slides / 1e9:.1f} GB" for slides in SLIDES), sep="\t")
    draw(sizes, given.figure)


def count_bytes(dimension: int, mosaic: int, report: int) -> dict[str, int]:
    """Bytes of one slide by what they are for, as docs/scale.md has the formulas."""
    barcodes = 8 * (mosaic + 1) * -(-(dimension - 1) // 64)
    row = 4 * dimension + 2 * mosaic * dimension + barcodes + 4 * mosaic + 100 * mosaic + 3 * report
    features = {f"features, {tiles:,} tiles": tiles * (4 * dimension + 12) for tiles in (3000, 256)}
    return {
        **features,
        "rows": row,
        "for ranking": barcodes + 5 * dimension + dimension // 8,
        "codes of the first stage": dimension,
    }


def draw(sizes: dict[str, int], path: Path) -> None:
    """Both axes logarithmic."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "histoseek"
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 3.8), layout="constrained")
    for name, each in sizes.items():
        axes.plot(SLIDES, [each * slides / 1e9 for slides in SLIDES], "o-", label=name)
    axes.set(xscale="log", yscale="log", xlabel="slides", ylabel="GB")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()
