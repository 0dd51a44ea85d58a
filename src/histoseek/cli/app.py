"""All commands in one place."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import typer

from histoseek._version import __version__
from histoseek.cli.adapt_text import adapt_text
from histoseek.cli.adapt_tiles import adapt_tiles
from histoseek.cli.align import align
from histoseek.cli.archive_moves import archive
from histoseek.cli.archive_warnings import warning_of_damage
from histoseek.cli.calibrate import calibrate
from histoseek.cli.differential import differential
from histoseek.cli.encoders import encoders
from histoseek.cli.erasing import erasing_what_is_due
from histoseek.cli.evaluate import evaluate
from histoseek.cli.export import export
from histoseek.cli.facets import facets
from histoseek.cli.index import index
from histoseek.cli.list_slides import list_slides
from histoseek.cli.mask import mask
from histoseek.cli.reencode import reencode
from histoseek.cli.remove import remove
from histoseek.cli.reports import reports
from histoseek.cli.search import search
from histoseek.cli.serve import serve
from histoseek.cli.show import show
from histoseek.cli.simulate import simulate
from histoseek.cli.stats import stats
from histoseek.cli.tokens import tokens
from histoseek.cli.train import train
from histoseek.cli.tune import tune
from histoseek.cli.update import update
from histoseek.cli.upgrade import upgrade
from histoseek.cli.verify import verify
from histoseek.cli.weights import weights
from histoseek.cli.worklist import worklist


def _join_lines(command: Callable[..., None]) -> str:
    """The help of a command, its paragraphs without the line breaks of the source."""
    paragraphs = (inspect.getdoc(command) or "").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


app = typer.Typer(name="histoseek", no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)

for own in (index, search):  # what they say at their end has the damage
    app.command(help=_join_lines(own))(erasing_what_is_due(own))
for command in (
    show,
    update,
    remove,
    verify,
    stats,
    differential,
    facets,
    worklist,
    evaluate,
    align,
    calibrate,
    tune,
    train,
    adapt_text,
    adapt_tiles,
    reencode,
    upgrade,
    export,
    mask,
    simulate,
    serve,
):
    app.command(help=_join_lines(command))(warning_of_damage(erasing_what_is_due(command)))
app.command("list")(warning_of_damage(erasing_what_is_due(list_slides)))
app.add_typer(archive, name="archive")
app.add_typer(encoders, name="encoders")
app.add_typer(weights, name="weights")
app.add_typer(reports, name="reports")
app.add_typer(tokens, name="tokens")


def _print_version(value: bool) -> None:
    if value:
        print(f"histoseek {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: bool = typer.Option(False, "--version", callback=_print_version, is_eager=True, help="Print the version."),
) -> None:
    """Search your own archive of whole-slide images. For research and education; not a medical device."""
