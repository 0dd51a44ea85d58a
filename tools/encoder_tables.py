"""Write the tables of docs/encoders.md and docs/encoder-cards.md anew from the cards; a test holds the pages to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from histoseek.encoders.cards.card import Publication, SlideModelCard, TileModelCard
from histoseek.encoders.cards.catalogue import list_slide_models, list_tile_models

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGES = (DOCS / "encoders.md", DOCS / "encoder-cards.md")
_SMALL, _LARGE = 100e6, 400e6
_TERMS = {True: "yes", False: "no", None: "unclear"}


def main() -> None:
    """Write the pages with tables made anew."""
    for page in PAGES:
        page.write_text(write_tables(page.read_text(encoding="utf-8")), encoding="utf-8")


def write_tables(text: str) -> str:
    """The text with what stands between its marks replaced."""
    tables = {"choice": make_choice_table(), "tile": make_tile_table(), "slide": make_slide_table()}
    for name, lines in tables.items():
        start, end = f"<!-- {name} table -->\n", f"<!-- end of {name} table -->"
        before, mark, rest = text.partition(start)
        if not mark:
            continue
        _, _, after = rest.partition(end)
        text = before + start + "\n".join(lines) + "\n" + end + after
    return text


def make_choice_table() -> list[str]:
    """Names by size and words in rows, by what the licence says of commercial use in columns."""
    loadable = [model for model in list_tile_models() if not model.features_only]
    plain = [model for model in loadable if not model.has_words]
    rows: Sequence[tuple[str, Callable[[TileModelCard], bool], Iterable[TileModelCard]]] = (
        ("small (under 100 million parameters)", lambda model: _size(model) < _SMALL, plain),
        ("middle (to 400 million)", lambda model: _SMALL <= _size(model) < _LARGE, plain),
        ("large", lambda model: _size(model) >= _LARGE, plain),
        ("reads words, too", lambda model: model.has_words, loadable),
    )
    lines = ["| | commercial use allowed | not allowed | unclear: read the licence |", "| --- | --- | --- | --- |"]
    for title, belongs, models in rows:
        chosen = [model for model in models if belongs(model)]
        cells = (_join(model for model in chosen if model.publication.commercial is terms) for terms in _TERMS)
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return lines


def make_tile_table() -> list[str]:
    """One row for each tile encoder."""
    lines = [
        "| name | tiles | vectors | parameters | words | commercial use | licence | weights | not verified |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    return [*lines, *map(_describe_tile_model, list_tile_models())]


def make_slide_table() -> list[str]:
    """One row for each slide encoder."""
    lines = [
        "| name | takes | vector | parameters | commercial use | licence | weights | not verified |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    return [*lines, *map(_describe_slide_model, list_slide_models())]


def _describe_tile_model(model: TileModelCard) -> str:
    preparation = model.preparation
    taken = "" if preparation.tile_px == preparation.input_px else f", {preparation.input_px} taken"
    spacings = ", ".join(f"{spacing:g}" for spacing in model.spacings_um_per_px)
    vectors = ", ".join(f"{variant.name} {variant.dimension}" for variant in model.variants)
    cells = (
        f"`{model.name}`",
        f"{preparation.tile_px} px{taken} at {spacings} µm/px",
        vectors,
        _describe_size(model.network.parameters),
        "yes" if model.has_words else "",
        *_describe_terms(model.publication),
        _describe_doubts(model.features_only, model.not_verified),
    )
    return f"| {' | '.join(cells)} |"


def _describe_slide_model(model: SlideModelCard) -> str:
    cells = (
        f"`{model.name}`",
        f"`{model.tile_encoder}`, {model.tile_px} px at {model.spacing_um_per_px:g} µm/px",
        str(model.dimension),
        _describe_size(model.parameters),
        *_describe_terms(model.publication),
        _describe_doubts(model.features_only, model.not_verified),
    )
    return f"| {' | '.join(cells)} |"


def _describe_terms(publication: Publication) -> tuple[str, str, str]:
    gated = " (gated)" if publication.gated else ""
    return _TERMS[publication.commercial], publication.licence, publication.repository + gated


def _describe_doubts(features_only: str, not_verified: Sequence[str]) -> str:
    reason = (f"**features only**: {features_only}",) if features_only else ()
    return "; ".join((*reason, *not_verified))


def _describe_size(parameters: int) -> str:
    return f"{parameters / 1e6:.1f} M" if parameters else ""


def _size(model: TileModelCard) -> int:
    return model.network.parameters


def _join(models: Iterable[TileModelCard]) -> str:
    return ", ".join(f"`{model.name}`" for model in models)


if __name__ == "__main__":
    main()
