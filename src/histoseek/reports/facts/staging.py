"""Stages: TNM categories with those of invasion and residual tumour, and stage groups."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from histoseek.reports.language.words import Span

Axis = Literal["T", "N", "M", "L", "V", "Pn", "R"]
TNM_AXES: tuple[Axis, ...] = ("T", "N", "M")
_Letter = Axis | Literal["G"]
_LETTERS: tuple[_Letter, ...] = (*TNM_AXES, "L", "V", "R", "G")

# Scanners read the digits 1 and 0 as letters. Longer runs of digits ("T11-627548") are numbers of cases.
_ONE = r"[1Il|i]"
_NIL = r"(?:0|[oOQ](?=\s?M\s?[01xXoO])|[oOQ](?![A-Za-z]))"
_LETTER = (
    r"(?:mic?(?![a-z])|[a-d][12]?(?![a-z])|[a-d](?=[nm][\dxo]|[lvr][0o])|[A-D](?![A-Za-z])|13(?!\d)|"
    r"\s[a-d](?=\s*(?:[:;,.()/\n]|$)|\s+[yrpc]{0,2}\s?[NM]\s?[\dXxOo])|\s(?:[abd]|[a-d][12])(?=[yrp]?N\s?[\dXxOo]))"
)
_T_VALUE = rf"(?:is(?![a-z])|[xX](?![a-z])|a(?![a-z])|{_NIL}|(?:[2-4]|{_ONE}){_LETTER}?)"
_N_VALUE = rf"(?:[xX]|{_NIL}|(?:[23]|{_ONE}){_LETTER}?)"
_M_VALUE = rf"(?:[xX]|{_NIL}|{_ONE}[a-dA-D]?)"
_T_SUFFIX = r"(?:\s?\((?:m|is|s|\d)\))?"
_N_SUFFIX = r"(?:\s?\((?:i\s?[-+]|mol\s?[-+]|sn|mi)\))?"
_CATEGORY_PATTERN = (
    r"(?P<mod>(?:[yYrRaAmMsS]{0,2}[pPcC]|[yYrR]{1,2})?)(?P<blank>\s?)"
    rf"(?:(?P<T>[Tt])(?P<Tgap>\s?:?[ ]?)(?P<Tvalue>{_T_VALUE})(?P<Tsuffix>{_T_SUFFIX})|"
    rf"(?P<N>[Nn])(?P<Ngap>\s?:?[ ]?)(?P<Nvalue>{_N_VALUE})(?P<Nsuffix>{_N_SUFFIX})|"
    rf"(?P<M>[Mm])(?P<Mgap>\s?:?[ ]?)(?P<Mvalue>{_M_VALUE})|"
    rf"(?P<L>L)\s?(?P<Lvalue>[0-2oOxX]|{_ONE})|(?P<V>V|Y(?=\s?[oO0](?!\w)))\s?(?P<Vvalue>[0-2oOxX]|{_ONE})|"
    rf"(?P<R>R)\s?(?P<Rvalue>[0-2oOxX]|{_ONE})|(?P<G>G)\s?(?P<Gvalue>[1-4xX]|I{{1,3}}))"
    r"(?:(?![A-Za-z]|\d|-?cell|\s?%)|(?=[yrapcP]{0,3}[NMnm]\s?(?:[\dxXoOIl]|n/a)|[lvr][0o](?![a-z]{2})|[LVR][0-2OoXxIl](?!\w)))"
)
_CATEGORY = re.compile(r"(?<![A-Za-z0-9])(?:st(?=p[TNM]))?" + _CATEGORY_PATTERN)
_NEXT_CATEGORY = re.compile(_CATEGORY_PATTERN)
# Categories of one classification stand side by side, with counts and remarks in brackets between them.
_BRACKET = re.compile(r"[(\[][^()\[\]\n]{0,40}[)\]]|\d{1,3}\s?(?:/|of)\s?\d{1,3}")
_SEAM = re.compile(r"(?:[\s,;:/.&+*\u2013-]|\b(?:and|TNM|locally|local|Stage|M)\b)*")
_LONGEST_SEAM = 60
_STAGED = {
    "T": re.compile(
        r"(?:primary\s+tumou?r|tumou?r\s+stage|\bT\s+(?:category|stage)|\bstag(?:e|ing)|p?TNM\b|\((?:p|y)?T\))[^.;]{0,40}\Z",
        re.I,
    ),
    "N": re.compile(
        r"(?:regional\s+(?:lymph\s+)?nodes?|\bN\s+(?:category|stage)|\(p?N\))[^.;\w]{0,30}\Z|"
        r"\bnod(?:e|al)\s+(?:stage|status|category)(?:\s*\([^()\n]{0,40}\))?\s*:?\s*\Z",
        re.I,
    ),
    "M": re.compile(r"(?:distant\s+metastas[ie]s|\bM\s+(?:category|stage)|\(p?M\))[^.;\w]{0,30}\Z", re.I),
}
_IN_BRACKETS = {
    "T": re.compile(r"(?:primary\s+tumou?r|classif|\bstag(?:e|ing))[^;]{0,160}[({]\s?\Z", re.I),
    "N": re.compile(r"\bnodes?\b[^;]{0,160}[({]\s?\Z", re.I),
    "M": re.compile(r"\bdistant\b[^;]{0,160}[({]\s?\Z", re.I),
}
_CLASSIFIED = re.compile(r"\bclassified\s+as\W{0,6}\Z", re.I)
_NO_STAGE = re.compile(
    r"\s*[-,/]?\s*(?:[TN]?\d|weight|signal|hyper|hypo|flair|sequence|image|mri\b|vertebra|spine|level|block|section|"
    r"lymph|nodes?\b|of\s+\d)",
    re.I,
)
_RESIDUAL = re.compile(
    r"\bR(?P<before>[0-2XO])\s?-?\s?resection|"
    r"\b(?:resection\s+status|residual\s+tumou?r(?:\s*\(R\))?|margin\s+status)\s*:?\s*R(?P<behind>[0-2xXO])(?!\w)",
    re.I,
)
_MARKED = re.compile(r"(?:\[\s?[xX\u2713]\s?\]|\([xX]\)|_+[xX]_*|[\u2611\u2612\u25a0]|^[xX])\s*\Z")
_NO_WORD = re.compile(r"\s+(?!M\s?[01XxOoQ])(?:[A-Za-z]{2}|[a-z]|[IVX]{1,5}\s?/|\d)")
_WORD_BEHIND = re.compile(r"[A-Za-z]{3}")
_EMPTY_BOX = re.compile(r"\s*(?:[\[(]\s?[\])J]\s*)+")
_FEWEST_OPTIONS = 3
# A label of a form says which stages it is for: "Thickness (pT1 and pT2 tumours)".
_STAGES_OF_LABEL = re.compile(r"(?:\s*(?:,|-|/|&|and|or|to)\s*p?T\s?\d[a-d]?)?\s+(?:tumou?rs|cases|only)\b", re.I)
_STAGE = re.compile(
    r"\b(?P<figo>figo\s+)?stage\s*(?:group(?:ing)?)?\s*[:=?]?\s*"
    r"(?P<number>0|iv|i{1,3}|[1-4])(?P<letter>[a-d])?(?P<digit>[1-3])?(?![\w.+])",
    re.IGNORECASE,
)
_ROMAN = {"i": "1", "ii": "2", "iii": "3", "iv": "4"}


@dataclass(frozen=True, slots=True)
class StageCategory:
    """One category: T, N, M, or invasion of lymph vessels (L), veins (V), nerves (Pn), or residual tumour (R).

    `value` is what follows the letter ("2a", "is", "X"), `suffix` what follows in brackets ("(m)", "(i+)"), `basis` "p"
    (pathological), "c" (clinical) or "", `modifiers` the letters before it ("y" after treatment, "r" recurrent, ...).
    """

    axis: Axis
    value: str
    suffix: str
    basis: str
    modifiers: str
    span: Span

    @property
    def label(self) -> str:
        """Letter, value and suffix: "T2a", "N0(i+)"."""
        return f"{self.axis}{self.value}{self.suffix}"


@dataclass(frozen=True, slots=True)
class StageGroup:
    """A stage group, "0" to "4" with its letters ("3A", "1B2"); `figo` where it is named so."""

    value: str
    figo: bool
    span: Span


def find_tnm(text: str) -> tuple[StageCategory, ...]:
    """TNM categories with L, V, Pn and R beside them ("pT2a pN1(sn) M0, L0 V0 Pn1 R0"), through a scanner's confusions.

    A T, N or M without p or c counts beside another category or behind the words for it ("Primary tumor: T2"), the
    others only beside one another. A form's list of all options that none is marked in states nothing.
    """
    chains = _chain_matches(text)
    categories = [
        _make_category(match, axis)
        for chain in chains
        for match, axis in _accept_matches(text, chain)
        if not _is_option(text, match, axis)
    ]
    categories += (
        StageCategory("R", _read_value(match["before"] or match["behind"]), "", "", "", Span(*match.span()))
        for match in _RESIDUAL.finditer(text)
        if not any(category.span.overlaps(Span(*match.span())) for category in categories)
    )
    return tuple(sorted(categories, key=lambda category: category.span.start))


def find_grade_categories(text: str) -> tuple[Span, ...]:
    """Where a G stands among the categories of a classification ("pT3 pN0 G2"): it is a grade, not a block's label."""
    return tuple(
        Span(match.start("G"), match.end())
        for chain in _chain_matches(text)
        if any(True for _ in _accept_matches(text, chain))
        for match in chain
        if match["G"]
    )


def _chain_matches(text: str) -> list[list[re.Match[str]]]:
    chains: list[list[re.Match[str]]] = []
    for match in _iterate_matches(text):
        if chains and _is_seam(text, chains[-1][-1].end(), match.start()):
            chains[-1].append(match)
        else:
            chains.append([match])
    return chains


def _iterate_matches(text: str) -> Iterator[re.Match[str]]:
    """Categories at the beginning of a word, or right behind another one ("pT2pN0")."""
    match = _CATEGORY.search(text)
    while match:
        yield match
        end = match.end()
        match = _NEXT_CATEGORY.match(text, end) or _CATEGORY.search(text, end)


def _is_seam(text: str, start: int, end: int) -> bool:
    if end - start > _LONGEST_SEAM:
        return False
    return _SEAM.fullmatch(_BRACKET.sub(" ", text[start:end])) is not None


def _accept_matches(text: str, chain: Sequence[re.Match[str]]) -> Iterator[tuple[re.Match[str], Axis]]:
    """The matches of a chain that are categories, each with its axis."""
    axes = _name_axes(chain)
    kinds = set(axes)
    has_tnm = any(
        axis in TNM_AXES and _has_basis(match) for match, axis in zip(chain, axes, strict=True)
    ) or _begins_stage(chain, axes)
    is_invasion = len(kinds & {"L", "V", "Pn", "R"}) >= (1 if has_tnm or "G" in kinds else 3)
    for match, axis in zip(chain, axes, strict=True):
        if axis == "G" or _is_word(text, match):
            continue
        if axis not in TNM_AXES:
            if is_invasion:
                yield match, axis
        elif has_tnm or _is_staged(text, match, axis):
            yield match, axis


def _name_axes(chain: Sequence[re.Match[str]]) -> list[_Letter]:
    """The axis of each match: "Pn" is of nerves, and so is "PN" behind the L or V of a text in capitals."""
    axes: list[_Letter] = []
    for match in chain:
        axis = next(letter for letter in _LETTERS if match[letter])
        is_perineural = match["mod"] == "P" and (match["N"] == "n" or ("N" in axes and {"L", "V"} & set(axes)))
        axes.append("Pn" if axis == "N" and is_perineural else axis)
    return axes


def _has_basis(match: re.Match[str]) -> bool:
    """A p or c before the letter, in its own case, or with no blank between ("pT 2", "PT2", no prothrombin, "PT 4")."""
    basis, letter = match["mod"][-1:], next(letter for letter in "TNM" if match[letter])
    if basis not in {"p", "c", "P"} or (basis == "c" and match[letter].islower()) or (basis == "P" and letter == "M"):
        return False
    gap = match["blank"] + match[f"{letter}gap"]
    if ":" in gap and (match[letter].islower() or basis != "p"):
        return False
    return not gap.strip(":") or (basis == "p" and match[letter].isupper())


def _begins_stage(chain: Sequence[re.Match[str]], axes: Sequence[str]) -> bool:
    """A T without p or c, in capitals, with an N behind it ("T2 N0", not "to no"), or such an N with an M ("NX MX")."""
    return any(
        (first, second) in {("T", "N"), ("N", "M")}
        and before[first] == first
        and behind[second] == second
        and before[f"{first}value"] not in {"o", "O"}
        for before, behind, first, second in zip(chain, chain[1:], axes, axes[1:], strict=False)
    )


def _is_staged(text: str, match: re.Match[str], axis: str) -> bool:
    """Whether the words before a bare letter speak of its stage, and those behind do not speak of a scan or a block."""
    if match[axis].islower() or match["mod"] or _NO_STAGE.match(text, match.end()):
        return False
    before = text[max(0, match.start() - 200) : match.start()]
    return any(pattern.search(before) for pattern in (_IN_BRACKETS[axis], _CLASSIFIED)) or bool(
        _STAGED[axis].search(before[-80:])
    )


def _is_word(text: str, match: re.Match[str]) -> bool:
    """A centimetre before a sign of multiplication ("8.0 cm x"), "No" before a word, "(pNI)" for a heading's M."""
    if match["M"]:
        return match["mod"].lower() == "c" and bool(
            re.search(r"\d\s?\Z", text[max(0, match.start() - 3) : match.start()])
        )
    if (match["Lvalue"] or match["Vvalue"] or match["Rvalue"]) in {"I", "l"} and _WORD_BEHIND.match(text, match.end()):
        return True
    if match["N"] and match["Nvalue"] in {"I", "l"} and text[match.start() - 1 : match.start()] == "(":
        return text[match.end() : match.end() + 1] == ")"
    if match["T"]:
        return match["T"] == "t" and match["Tvalue"] in {"a", "o"}
    return match.group().strip() in {"No", "NO"} and _NO_WORD.match(text, match.end()) is not None


def _is_option(text: str, match: re.Match[str], axis: str) -> bool:
    """Whether a category is one of a form's options that is not marked: three or more in lines one after the other."""
    line_start = text.rfind("\n", 0, match.start()) + 1
    if _EMPTY_BOX.match(text, line_start, match.start()) or _STAGES_OF_LABEL.match(text, match.end()):
        return True
    if text[match.end() : match.end() + 2].lstrip()[:1] not in {":", ";", "="}:
        return False
    around = text[max(0, match.start() - 600) : match.end() + 600]
    values = {
        other.group(1).lower()
        for other in re.finditer(rf"(?m)^\W{{0,8}}[xX_]{{0,3}}\W{{0,4}}p?{axis}\s?(\w{{1,3}})\s?[:;=]", around)
    }
    return len(values) >= _FEWEST_OPTIONS and not _MARKED.search(text, line_start, match.start())


def _make_category(match: re.Match[str], axis: Axis) -> StageCategory:
    letter = "N" if axis == "Pn" else axis
    modifiers = "" if axis not in TNM_AXES else match["mod"].lower()
    suffix = (match[f"{axis}suffix"] if axis in {"T", "N"} else "") or ""
    basis = next((letter for letter in modifiers if letter in "pc"), "")
    start = match.start("mod") if axis == "Pn" or modifiers else match.start(letter)
    value = _read_value(match[f"{letter}value"])
    return StageCategory(
        axis, value, suffix.lower().replace(" ", ""), basis, modifiers.replace(basis, ""), Span(start, match.end())
    )


def _read_value(raw: str) -> str:
    """A value as it was meant: "l" and "I" are 1, "O" is 0, "13" behind a digit is b."""
    value = re.sub(r"\s", "", raw)
    if value.lower() in {"is", "a"}:
        return value.lower()
    first = {"i": "1", "l": "1", "|": "1", "o": "0", "q": "0", "x": "X"}.get(value[0].lower(), value[0])
    return first + ("b" if value[1:] == "13" else "mi" if value[1:].lower() == "mic" else value[1:].lower())


def find_stage_groups(text: str) -> tuple[StageGroup, ...]:
    """Stage groups ("stage IIIA", "FIGO stage IB2")."""
    return tuple(
        StageGroup(_format_stage(match), match["figo"] is not None, Span(*match.span()))
        for match in _STAGE.finditer(text)
    )


def _format_stage(match: re.Match[str]) -> str:
    number = match["number"].lower()
    return _ROMAN.get(number, number) + (match["letter"] or "").upper() + (match["digit"] or "")
