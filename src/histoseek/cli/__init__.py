"""The command line: one file per command, thin; errors become one line and exit code 2 here."""

from __future__ import annotations

import sys

from histoseek.errors import HistoseekError

_INTERRUPTED = 130


def main() -> None:
    """Run the command line."""
    from histoseek.cli.app import app

    try:
        app()
    except HistoseekError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(error.exit_code)
    except SystemExit as leaving:
        if leaving.code == _INTERRUPTED:
            print("interrupted: what is done is kept, the same command goes on from here", file=sys.stderr)
        raise
