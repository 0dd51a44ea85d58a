"""The command line: one file per command, thin; errors become one line and exit code 2 here."""

from __future__ import annotations

import io
import sys

from histoseek.errors import HistoseekError
from histoseek.garbage import collect_seldom

_INTERRUPTED = 130


def main() -> None:
    """Run the command line."""
    collect_seldom()
    import typer

    from histoseek.cli.app import app

    _escape_what_is_not_encoded()
    try:
        code = app(prog_name="histoseek", standalone_mode=False) or 0
    except HistoseekError as error:
        code = _print_error(error)
    except typer.TyperException as error:
        from histoseek.cli.usage import make_usage_error

        # Without a message it is a bare `histoseek`, which has printed its help.
        code = _print_error(make_usage_error(error)) if error.format_message() else 2
    if code == _INTERRUPTED:
        print("interrupted: what is done is kept, and the same command continues from here", file=sys.stderr)
    sys.exit(code)


def _escape_what_is_not_encoded() -> None:
    """Let no character of a name or a value that standard output can't show end a command."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors in ("strict", "surrogateescape"):
        sys.stdout.reconfigure(errors="backslashreplace")


def _print_error(error: HistoseekError) -> int:
    print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
    return error.exit_code
