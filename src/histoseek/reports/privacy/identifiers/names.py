"""Names of persons: after a label or a title, before a degree, by the name lists, and again wherever they recur."""

from __future__ import annotations

import re
from collections.abc import Iterator

from histoseek.reports.privacy.identifiers.kinds import Found, Kind
from histoseek.reports.privacy.identifiers.labels import Label
from histoseek.reports.privacy.identifiers.lexicon import PARTICLES, lexicon, read_words
from histoseek.reports.privacy.identifiers.phrases import NameReader, span_of
from histoseek.reports.privacy.identifiers.tokens import Token

_MOST_TITLES = 4
_MOST_NAMES = 12
_LABEL_GAP = re.compile(r"[^\w\n]{0,12}[:|=][^\w]{0,12}|[^\w\n]{0,6}\t[^\w\n]{0,6}")
_BYLINE_GAP = re.compile(r"[ ]{1,3}|[^\w]{0,3}[:,|][^\w]{0,12}|\s{0,4}\n\s{0,12}")
_TITLE_GAP = re.compile(r"[. ,]{0,3}[ ]|\.|[ ]")
_NEXT_NAME = re.compile(r"[^\w\n]{0,4}[;/&][^\w\n]{0,3}")
_INITIALS = re.compile(
    r"[^\w\n]{0,8}[:|][ ]{0,3}((?:[A-Z]\.? ?){2,3}|[A-Z]{1,2}[a-z]{2,10}|[A-Z]{2,4}(?:/[A-Za-z]{2,4})?)(?=[ ]*"
    r"(?:\n|$|[ ]{2}|\|))"
)
_TYPIST = re.compile(r"(?:^[ ]{0,4}|(?<=\.[ ]))([A-Z]{2,4}[ ]?[:/][ ]?[a-z]{2,4})(?=[ ]*(?:$|[ ,]\d))", re.MULTILINE)
_CARETS = re.compile(r"(?<![\w^])([^\W\d_][\w' -]{0,40})\^([^\W\d_][\w'-]{0,40}\.?)(?:\^[^\W\d_]{1,20}\.?)?(?![\w-])")
_QUOTED = re.compile(r'"([^\W\d_][^",\n\d]{1,40}, ?[^\W\d_][^",\n\d]{0,40})"')
_LABELLED = re.compile(r"(?i:labell?ed|marked|designated|identified)[^\"“”\n]{0,40}[\"“]")


def find_names(text: str, tokens: list[Token], labels: list[Label]) -> list[Found]:
    """All names of a text; those found by a label, a title or a degree are looked for again in the whole text."""
    reader = NameReader(text, tokens, lexicon())
    strong = [*_announced(reader, labels), *_before_degrees(reader), *_labelled_jars(reader), *_carets(reader)]
    runs = [*strong, *_by_lists(reader), *_recurring(reader, strong)]
    found = [Found(*span_of(tokens, first, end), Kind.NAME) for first, end in runs]
    return [*found, *_initials(reader, labels)]


def _announced(reader: NameReader, labels: list[Label]) -> Iterator[tuple[int, int]]:
    for label in labels:
        if label.announces in {"name", "byline", "title"}:
            yield from _after(reader, label)


def _after(reader: NameReader, label: Label) -> Iterator[tuple[int, int]]:
    if label.end >= len(reader.tokens):
        return
    between = reader.gap(label.end)
    has_colon = bool(_LABEL_GAP.fullmatch(between)) or (between == " (" and label.phrase.endswith("name"))
    gaps = {"name": _LABEL_GAP, "byline": _BYLINE_GAP, "title": _TITLE_GAP}
    if not has_colon and not gaps[label.announces].fullmatch(between):
        yield from _listed_beside(reader, label, between)
        return
    if label.phrase == "i":
        yield from _undersigned(reader, label.end)
        return
    if label.announces == "title" and not _is_written_as_title(reader.tokens[label.first]):
        return
    if label.announces == "name":
        yield from _behind_number(reader, label.end)
    first = _skip_titles(reader, label.end)
    for start, end in _names_from(reader, first, comma=has_colon):
        bare = not has_colon and (first == label.end or len(reader.tokens[first - 1].word) > 4)
        if not bare or label.announces == "name" or _is_person(reader, label, reader.tokens[start:end]):
            yield start, end


def _is_person(reader: NameReader, label: Label, run: list[Token]) -> bool:
    """Whether words behind a bare "reviewed by" or "Doctor" are a name; capitals need a listed name or two words."""
    proper = [one for one in run if reader.is_proper(one)]
    if any(one.is_all_caps for one in run) and len(label.phrase) > 4:
        return len(proper) > 1 or any(reader.words.is_listed(one.folded) for one in proper)
    return label.announces == "title" or bool(proper)


def _is_written_as_title(token: Token) -> bool:
    return token.word[0].isupper() or token.folded in _LOWER_TITLES


def _behind_number(reader: NameReader, at: int) -> Iterator[tuple[int, int]]:
    """The name behind an id ("Re: S19-12345 Roe")."""
    first = reader.tokens[at]
    if at + 1 < len(reader.tokens) and (not first.folded or any(mark.isdigit() for mark in first.word)):
        end = reader.read(at + 1, comma=True)
        run = reader.tokens[at + 1 : end]
        if re.fullmatch(r"[ ,;:()]{1,4}", reader.gap(at + 1)) and any(map(reader.is_proper, run)):
            yield at + 1, end


def _listed_beside(reader: NameReader, label: Label, between: str) -> Iterator[tuple[int, int]]:
    """A listed name beside a label without a colon, or any name below a label on a line of its own."""
    token = reader.tokens[label.end]
    if label.announces != "name" or len(label.phrase) < 4 or not reader.is_proper(token):
        return
    is_below = "\n" in reader.gap(label.first) or label.first == 0
    if (is_below and re.fullmatch(r"[ ]?\r?\n[ ]{0,8}", between)) or (
        reader.words.is_listed(token.folded) and re.fullmatch(r"[ ]{1,20}", between)
    ):
        yield label.end, reader.read(label.end, comma=True)


def _undersigned(reader: NameReader, at: int) -> Iterator[tuple[int, int]]:
    """ "I, Jane Roe, the attending pathologist"."""
    end = reader.read(at, comma=False)
    if reader.gap(at) == ", " and end - at >= 2 and end < len(reader.tokens) and reader.gap(end).startswith(","):
        yield at, end


def _names_from(reader: NameReader, at: int, comma: bool) -> Iterator[tuple[int, int]]:
    """The name at a token and those listed after it on the line, with their degrees between ("A, MD; B, MD")."""
    for _ in range(_MOST_NAMES):
        if at >= len(reader.tokens):
            return
        end = reader.read(at, comma)
        if end == at:
            end = reader.read_listed(at) if comma else at
        if end == at:
            return
        yield at, end
        at = _next_listed(reader, _skip_degrees(reader, end))


def _next_listed(reader: NameReader, at: int) -> int:
    """Where the next of several names may start: behind ";", "/" or "and"; the end of the text where none may."""
    tokens = reader.tokens
    if at < len(tokens) and _NEXT_NAME.fullmatch(reader.gap(at)):
        return _skip_titles(reader, at)
    if at + 1 < len(tokens) and tokens[at].folded in _ANDS and reader.gap(at) == reader.gap(at + 1) == " ":
        after = _skip_titles(reader, at + 1)
        if after < len(tokens) and reader.is_proper(tokens[after]):
            return after
    return len(tokens)


def _skip_titles(reader: NameReader, at: int) -> int:
    for _ in range(_MOST_TITLES):
        titled = at < len(reader.tokens) and reader.tokens[at].folded in _TITLES
        if not titled or (at + 1 < len(reader.tokens) and not _TITLE_GAP.fullmatch(reader.gap(at + 1))):
            return at
        at += 1
    return at


def _skip_degrees(reader: NameReader, at: int) -> int:
    while at < len(reader.tokens) and len(reader.gap(at)) <= 2 and _NEXT_NAME.fullmatch(reader.gap(at)) is None:
        if not (reader.is_degree(reader.tokens[at]) or reader.tokens[at].is_initial):
            break
        at += 1
    return at


def _before_degrees(reader: NameReader) -> Iterator[tuple[int, int]]:
    """ "Jane Roe, MD", "J. Roe, M.D.": two words or more, or a listed one, not a town before a postal code."""
    tokens = reader.tokens
    for at in range(1, len(tokens)):
        dotted = tokens[at].word == "M" and at + 1 < len(tokens) and tokens[at + 1].word == "D"
        if not (dotted or reader.is_degree(tokens[at])) or not re.fullmatch(r"[ ]?,?[ ]{1,2}", reader.gap(at)):
            continue
        if at + 1 < len(tokens) and tokens[at + 1].word[:5].isdigit():
            continue
        first = _walk_back(reader, at)
        if at - first >= 2 or (at > first and reader.words.is_listed(tokens[first].folded)):
            yield first, at


def _walk_back(reader: NameReader, at: int) -> int:
    """First token of the name that ends before token `at`."""
    first = at
    while first > 0 and at - first < 5:
        token = reader.tokens[first - 1]
        if first < at and not re.fullmatch(r"\.?[ ]|\.", reader.gap(first)):
            break
        if not (reader.is_name_like(token) or token.is_initial or (token.folded in PARTICLES and first < at)):
            break
        first -= 1
    while first < at and reader.tokens[first].folded in PARTICLES and reader.tokens[first].word.islower():
        if reader.is_name_like(reader.tokens[min(first + 1, at - 1)]):
            break
        first += 1
    return first


def _labelled_jars(reader: NameReader) -> Iterator[tuple[int, int]]:
    """'Received labeled "SMITH, JOHN"': two words or more, or a listed one."""
    starts = {found.end() for found in _LABELLED.finditer(reader.text)}
    for at, token in enumerate(reader.tokens):
        if token.start in starts:
            end = reader.read(at, comma=True)
            proper = [one for one in reader.tokens[at:end] if reader.is_proper(one)]
            if len(proper) >= 2 or any(reader.words.is_listed(one.folded) for one in proper):
                yield at, end


def _carets(reader: NameReader) -> Iterator[tuple[int, int]]:
    """HL7 components "SMITH^JOHN^A" and quoted cells "Smith, John"."""
    by_start = {token.start: at for at, token in enumerate(reader.tokens)}
    for pattern in (_CARETS, _QUOTED):
        for found in pattern.finditer(reader.text):
            first = by_start.get(found.start(1))
            if first is None:
                continue
            end = reader.read(first, comma=True)
            proper = [one for one in reader.tokens[first:end] if reader.is_name_like(one)]
            if len(proper) >= 2 and reader.tokens[end - 1].end >= found.end() - 3:
                yield first, end


def _by_lists(reader: NameReader) -> Iterator[tuple[int, int]]:
    """Names without a label: a listed given name and a surname, or an unlisted word beside a listed surname."""
    for at, token in enumerate(reader.tokens):
        if token.is_initial:
            yield from _after_initials(reader, at)
        elif reader.is_name_like(token) and reader.words.is_listed(token.folded):
            yield from _listed_pair(reader, at)


def _listed_pair(reader: NameReader, at: int) -> Iterator[tuple[int, int]]:
    end = reader.read(at, comma=True)
    if _is_inverted(reader, at, end):
        yield at, end
        return
    end = reader.read(at, comma=False)
    names = [one for one in reader.tokens[at:end] if len(one.word) > 1 and one.folded not in PARTICLES]
    if len(names) > 1 and _is_pair(reader, names):
        yield at, end


def _is_pair(reader: NameReader, names: list[Token]) -> bool:
    """Whether words in a row are a person: one of them proper and listed, and each listed in a line of capitals."""
    words = reader.words
    listed = [one for one in names if words.is_listed(one.folded)]
    certain = [one for one in names if reader.is_proper(one)]
    if any(one.is_all_caps for one in names):
        return len(listed) == len(names) and bool(certain) and not any(words.is_ordinary(one.folded) for one in names)
    if reader.is_proper(names[0]) and words.is_given(names[0].folded):
        return words.is_surname(names[1].folded) or reader.is_proper(names[1])
    return len(certain) == len(names) and len(listed) > 1


def _is_inverted(reader: NameReader, at: int, end: int) -> bool:
    """Whether "A, B" is a surname with a given name or an initial after the comma."""
    for index in range(at + 1, end):
        if "," in reader.gap(index):
            token = reader.tokens[index]
            surname = reader.words.is_surname(reader.tokens[index - 1].folded)
            return surname and reader.words.is_given(token.folded) and reader.is_proper(token)
    return False


def _after_initials(reader: NameReader, at: int) -> Iterator[tuple[int, int]]:
    """ "J. Smith" with a listed surname, "J.R. Roe" with any; a single letter before an ordinary word is a specimen."""
    if at and reader.tokens[at - 1].is_initial and reader.gap(at) in {".", ". ", " ", ""}:
        return
    end = reader.read(at, comma=False)
    run = reader.tokens[at:end]
    proper = [one for one in run if reader.is_proper(one)]
    if end == at or not proper or not reader.gap(at + 1).startswith("."):
        return
    initials = sum(one.is_initial for one in run)
    has_two = initials >= 2 and len(proper) == 1 and not proper[0].is_all_caps
    is_listed = any(reader.words.is_surname(one.folded) for one in proper) and len(proper) == len(run) - initials
    if has_two or is_listed:
        yield at, end


def _recurring(reader: NameReader, strong: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Words of names found for certain, wherever they stand capitalised again."""
    certain = {
        token.folded
        for first, end in strong
        for token in reader.tokens[first:end]
        if len(token.word) > 2 and token.folded not in PARTICLES and reader.is_proper(token)
    }
    for at, token in enumerate(reader.tokens):
        if token.folded.removesuffix("'s") in certain and token.word[0].isupper():
            first = _walk_back(reader, at + 1)
            proper = all(
                one.is_initial or one.folded in PARTICLES or reader.is_proper(one) for one in reader.tokens[first:at]
            )
            yield first if proper else at, at + 1


def _initials(reader: NameReader, labels: list[Label]) -> Iterator[Found]:
    """Initials after a label ("Transcribed by: MK") and the typist's line ("JS:mk")."""
    for label in labels:
        if label.announces in {"name", "byline"}:
            found = _INITIALS.match(reader.text, reader.tokens[label.end - 1].end)
            if found and not lexicon().is_ordinary(found.group(1).strip().lower()):
                yield Found(found.start(1), found.start(1) + len(found.group(1).rstrip()), Kind.NAME)
    for found in _TYPIST.finditer(reader.text):
        yield Found(found.start(1), found.end(1), Kind.NAME)


_ANDS = frozenset(("and", "und", "et", "en", "y", "e"))
_LOWER_TITLES = frozenset(("dhr", "mevr", "mevrouw", "meneer", "mw", "dr", "drs", "prof", "mr", "mrs", "ms"))
_TITLES = frozenset(read_words("titles.txt"))
