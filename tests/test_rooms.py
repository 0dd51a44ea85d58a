"""The tree's own rules."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "src" / "histoseek"
MOST_LINES_OF_A_MODULE = 500
MOST_LINES_OF_A_FUNCTION = 40
FEW_LINES = 60


def test_functions_and_modules_stay_small() -> None:
    for path in SOURCE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert text.count("\n") <= MOST_LINES_OF_A_MODULE, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or 0) - node.lineno + 1
                assert lines <= MOST_LINES_OF_A_FUNCTION, f"{path}: {node.name} has {lines} lines"


def test_import_directions_are_kept() -> None:
    from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

    config = SOURCE.parents[1] / "pyproject.toml"
    assert lint_imports(config_filename=str(config), no_cache=True) == EXIT_STATUS_SUCCESS


def test_slivers_are_printed() -> None:
    """Small modules that only one other imports may be better off inside it: a look, not a rule."""
    importers = _importers()
    assert len(importers) > 100
    slivers = [
        f"{path.relative_to(SOURCE)} ({lines} lines), imported by {next(iter(importers[module]))} only"
        for module, path in _modules().items()
        if path.name != "__init__.py"
        if (lines := path.read_text(encoding="utf-8").count("\n")) < FEW_LINES and len(importers[module]) == 1
    ]
    print("\n".join(["Modules under 60 lines with one importer:", *sorted(slivers)]))


def _modules() -> dict[str, Path]:
    """All modules by their dotted names."""
    paths = {path: path.relative_to(SOURCE.parent).with_suffix("") for path in SOURCE.rglob("*.py")}
    return {".".join(parts.parts).removesuffix(".__init__"): path for path, parts in paths.items()}


def _importers() -> dict[str, set[str]]:
    """Which modules import each module."""
    modules = _modules()
    importers: dict[str, set[str]] = defaultdict(set)
    for module, path in modules.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    full = f"{node.module}.{alias.name}"
                    importers[full if full in modules else node.module].add(module)
    return importers
