"""The shape of the source tree in figures: modules, imports, lengths and names.

    python benchmarks/structure.py [--src DIR] [--json]

Modules are files other than `__init__.py`. Imports of the package's own modules count wherever they stand, in
functions and under TYPE_CHECKING too; those of an `__init__.py` are its package's. An import of a package is of its
`__init__.py`, unless the name imported is a module. An arrow leads from one sibling to another of the same folder,
where a subfolder is one sibling with all that is in it, and many imports make one arrow; a circle is a set of siblings
that reach each other. Lines of a function go from `def` to its end. A name begins with a participle where its first
word, underscores in front dropped, ends in -ed, but for words such as "need", or is one of IRREGULAR; the share is of
all functions and methods, also of those such as `__len__`.
"""

from __future__ import annotations

import argparse
import ast
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

LONG_FUNCTION, LONG_MODULE, SMALL_MODULE = 40, 500, 60
# fmt: off
NO_PARTICIPLES = frozenset({
    "bed", "bleed", "breed", "embed", "exceed", "feed", "need", "proceed", "red", "seed", "shed", "speed",
    "succeed", "weed"
})
IRREGULAR = frozenset({
    "begun", "bound", "broken", "brought", "built", "caught", "chosen", "done", "drawn", "driven", "fallen",
    "felt", "found", "given", "gone", "grown", "held", "hidden", "kept", "known", "laid", "led", "left", "lent",
    "lost", "made", "meant", "outgrown", "paid", "said", "seen", "sent", "shown", "shrunk", "spoken", "spent",
    "taken", "taught", "thought", "told", "torn", "understood", "unknown", "untold", "won", "worn", "woven",
    "written"
})
# fmt: on
"""Words that can only be participles here: read, set, cut, put and split are verbs as well and count as such."""


@dataclass(frozen=True)
class Module:
    """A file of the package with its syntax; name is dotted, the package's own for `__init__.py`."""

    name: str
    path: Path
    tree: ast.Module
    lines: int

    @property
    def is_package(self) -> bool:
        return self.path.name == "__init__.py"

    @property
    def folder(self) -> str:
        """The dotted name of the folder it lies in."""
        return self.name if self.is_package else self.name.rpartition(".")[0]


@dataclass(frozen=True)
class Function:
    module: str
    name: str
    lines: int


@dataclass(frozen=True)
class Room:
    """A folder and what is directly in it; circles: the siblings of each."""

    modules: int
    siblings: int
    arrows: int
    circles: list[list[str]]


@dataclass(frozen=True)
class Structure:
    """All figures of a tree."""

    modules: int
    folders: int
    lines: int
    median_module: float
    one_importer: int
    one_importer_small: int
    functions: int
    participles: int
    participle_percent: float
    names_with_of: int
    found_bound: int
    found_modules: int
    long_functions: list[str]
    long_modules: list[str]
    class_pairs: int
    class_names: dict[str, list[str]]
    file_pairs: int
    file_names: dict[str, int]
    rooms: dict[str, Room]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path(__file__).resolve().parents[1] / "src" / "histoseek"
    parser.add_argument("--src", type=Path, default=default, help="the package's folder, or the one that holds it")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args()
    structure = measure(read_modules(package_folder(given.src)))
    print(json.dumps(asdict(structure), indent=1) if given.json else as_text(structure))


def package_folder(folder: Path) -> Path:
    """The folder itself if it is a package, else the only package in it."""
    if (folder / "__init__.py").is_file():
        return folder
    inside = sorted(path.parent for path in folder.glob("*/__init__.py"))
    if len(inside) != 1:
        raise SystemExit(f"{folder}: holds {len(inside)} packages. Give the folder of one with --src")
    return inside[0]


def read_modules(package: Path) -> list[Module]:
    modules = []
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        text = path.read_text(encoding="utf-8")
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        modules.append(Module(name, path, ast.parse(text), text.count("\n")))
    return modules


def measure(files: Sequence[Module]) -> Structure:
    modules = [module for module in files if not module.is_package]
    imports = {module.name: set(find_imports(module, {file.name for file in files})) for module in files}
    importers = Counter(target for targets in imports.values() for target in targets)
    alone = [module for module in modules if importers[module.name] == 1]
    functions = [function for module in files for function in list_functions(module)]
    participles = [function for function in functions if is_participle(first_word(function.name))]
    found = {module.name: count_bindings(module, "found") for module in files}
    classes = repeated_classes(files)
    names = {name: count for name, count in Counter(module.path.name for module in modules).items() if count > 1}
    return Structure(
        modules=len(modules),
        folders=len({module.folder for module in modules}),
        lines=sum(module.lines for module in files),
        median_module=median(module.lines for module in modules),
        one_importer=len(alone),
        one_importer_small=sum(module.lines < SMALL_MODULE for module in alone),
        functions=len(functions),
        participles=len(participles),
        participle_percent=round(100 * len(participles) / len(functions), 1),
        names_with_of=sum(first_word(function.name) == "of" for function in functions),
        found_bound=sum(found.values()),
        found_modules=sum(count > 0 for count in found.values()),
        long_functions=[f"{one.module}.{one.name}: {one.lines}" for one in functions if one.lines > LONG_FUNCTION],
        long_modules=[f"{module.name}: {module.lines}" for module in modules if module.lines > LONG_MODULE],
        class_pairs=sum(count_pairs(len(homes)) for homes in classes.values()),
        class_names=classes,
        file_pairs=sum(count_pairs(count) for count in names.values()),
        file_names=dict(sorted(names.items())),
        rooms=measure_rooms(modules, imports),
    )


def find_imports(module: Module, known: set[str]) -> Iterator[str]:
    """The modules of the package that a module imports, itself left out."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = absolute_name(module, node)
            targets = [f"{base}.{alias.name}" if f"{base}.{alias.name}" in known else base for alias in node.names]
        else:
            continue
        yield from (target for target in targets if target in known and target != module.name)


def absolute_name(module: Module, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    folder = module.folder.split(".")
    return ".".join([*folder[: len(folder) - node.level + 1], *([node.module] if node.module else [])])


def measure_rooms(modules: Sequence[Module], imports: Mapping[str, set[str]]) -> dict[str, Room]:
    """Every folder with what is directly in it, by name."""
    counts = Counter(module.folder for module in modules)
    rooms = {}
    for folder in sorted(counts):
        arrows = {
            (source, target)
            for module, targets in imports.items()
            for source, target in ((sibling_in(folder, module), sibling_in(folder, other)) for other in targets)
            if source and target and source != target
        }
        siblings = {sibling for module in modules if (sibling := sibling_in(folder, module.name))}
        rooms[folder] = Room(counts[folder], len(siblings), len(arrows), find_circles(siblings, arrows))
    return rooms


def sibling_in(folder: str, module: str) -> str | None:
    """The file or subfolder directly in a folder that a module is or lies in; None for one that lies elsewhere."""
    start = f"{folder}."
    return module.removeprefix(start).partition(".")[0] if module.startswith(start) else None


def find_circles(siblings: set[str], arrows: set[tuple[str, str]]) -> list[list[str]]:
    """Sets of several siblings that reach each other along arrows."""
    reached = {sibling: reach(sibling, arrows) for sibling in siblings}
    circles = {frozenset({one, *(other for other in reached[one] if one in reached[other])}) for one in siblings}
    return sorted(sorted(circle) for circle in circles if len(circle) > 1)


def reach(start: str, arrows: set[tuple[str, str]]) -> set[str]:
    reached: set[str] = set()
    waiting = [start]
    while waiting:
        here = waiting.pop()
        new = {target for source, target in arrows if source == here} - reached
        reached |= new
        waiting += new
    return reached


def list_functions(module: Module) -> Iterator[Function]:
    """Functions and methods, nested ones too."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield Function(module.name, node.name, (node.end_lineno or node.lineno) - node.lineno + 1)


def first_word(name: str) -> str:
    return name.lstrip("_").partition("_")[0]


def is_participle(word: str) -> bool:
    return word in IRREGULAR or (word.endswith("ed") and word not in NO_PARTICIPLES)


def count_bindings(module: Module, word: str) -> int:
    """How often a word is bound: as a variable, an argument, an attribute, a function, a class or an import."""
    return sum(word in bound_names(node) for node in ast.walk(module.tree))


def bound_names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        return [node.id]
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
        return [node.attr]
    if isinstance(node, ast.arg):
        return [node.arg]
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.alias):
        return [node.asname or node.name]
    return [node.name] if isinstance(node, ast.MatchAs | ast.MatchStar) and node.name else []


def repeated_classes(files: Sequence[Module]) -> dict[str, list[str]]:
    """Names of several public classes, with their modules; `rest`, whose types mirror others, is left out."""
    homes: dict[str, list[str]] = defaultdict(list)
    for module in files:
        if "rest" in module.name.split("."):
            continue
        for node in module.tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].append(module.name)
    return {name: found for name, found in sorted(homes.items()) if len(found) > 1}


def count_pairs(count: int) -> int:
    return count * (count - 1) // 2


def as_text(structure: Structure) -> str:
    lines = [
        f"{structure.modules} modules in {structure.folders} folders, {structure.lines:,} lines",
        f"median module: {structure.median_module:g} lines",
        f"modules with exactly one importer: {structure.one_importer}, of them {structure.one_importer_small} under"
        f" {SMALL_MODULE} lines",
        f"functions that begin with a participle: {structure.participles} of {structure.functions:,},"
        f" {structure.participle_percent} %; with of_: {structure.names_with_of}",
        f"'found' is bound {structure.found_bound} times in {structure.found_modules} modules",
        f"functions over {LONG_FUNCTION} lines: {len(structure.long_functions)}",
        *(f"    {one}" for one in structure.long_functions),
        f"modules over {LONG_MODULE} lines: {len(structure.long_modules)}",
        *(f"    {one}" for one in structure.long_modules),
        f"pairs of public classes with one name outside rest/: {structure.class_pairs}",
        *(f"    {name}: {', '.join(homes)}" for name, homes in structure.class_names.items()),
        f"pairs of modules with one file name: {structure.file_pairs}",
        "    " + ", ".join(f"{name} x{count}" for name, count in structure.file_names.items()),
        "",
        f"{'room':<36}{'modules':>8}{'siblings':>9}{'arrows':>7}  circles",
    ]
    for name, room in structure.rooms.items():
        circles = "; ".join(", ".join(circle) for circle in room.circles) or "none"
        lines.append(f"{name:<36}{room.modules:>8}{room.siblings:>9}{room.arrows:>7}  {circles}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
