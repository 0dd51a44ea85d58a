"""Names of persons: after a label or a title, before a degree, by the name lists, and again wherever they recur."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from histoseek.reports.privacy.identifiers.identifier_kinds import Identifier, IdentifierKind
from histoseek.reports.privacy.identifiers.initials import find_initials
from histoseek.reports.privacy.identifiers.labels import Label
from histoseek.reports.privacy.identifiers.languages import list_phrases
from histoseek.reports.privacy.identifiers.lexicon import PARTICLES, fold, load_lexicon, read_words
from histoseek.reports.privacy.identifiers.medical_words import looks_medical
from histoseek.reports.privacy.identifiers.name_reader import NameReader, find_span
from histoseek.reports.privacy.identifiers.name_tokens import NameToken

_MOST_TITLES = 4
_MOST_NAMES = 12
_LABEL_GAP = re.compile(r"[^\w\n]{0,12}[:|=][^\w\n]{0,12}|[^\w\n]{0,6}\t[^\w\n]{0,6}")
_TITLE_COLON = re.compile(r"[. ]{0,2}:[ ]{0,3}")
_BYLINE_GAP = re.compile(r"\.?[ ]{1,3}|[^\w\n]{0,3}[:,|][^\w\n]{0,12}")
_BELOW = re.compile(r"[^\w\n]{0,8}(?:\r?\n[^\w\n]{0,12}){1,3}")
_LINE_REST = re.compile(r"[ ]*(?:$|[\r\n|\[(]|,[ ]{0,2}(?:[A-Z][A-Za-z]{0,2}\.?){1,4}(?![a-z])|[,;]?[ ]{1,3}\d|[ ]{2})")
_LABEL_AGAIN = re.compile(r"[ ]?\.?[ ]?(?:[:#=]|No\b|NO\b)")
_EPONYM_NOUN = re.compile(
    r"['\u2019]?s?[ -]{1,2}(?i:disease|syndrome|nodule|tumou?r|stain|drain|catheter|line|clamp|rosette|cell|"
    r"bod(?:y|ies)|gland|duct|node|fascia|space|ligament|score|grad(?:e|ing)|classification|system|index|level|method|criteri|"
    r"fib(?:re|er)|sign|type|test|procedure|resection|reflex|triangle|pouch|lymphoma|sarcoma|thyroiditis|mucosa|"
    r"et al\b|o?esophagus|hernia|contracture|medium|fluid|solution)"
)
_TITLE_GAP = re.compile(r"[. ,]{0,3}[ ]|\.|[ ]")
_NEXT_NAME = re.compile(r"[^\w\n]{0,4}[;/&][^\w\n]{0,3}")
_CARETS = re.compile(r"(?<![\w^])([^\W\d_][\w' -]{0,40})\^([^\W\d_][\w'-]{0,40}\.?)(?:\^[^\W\d_]{1,20}\.?)?(?![\w-])")
_QUOTED_NAME = re.compile(r'"([^\W\d_][^",\n\d]{1,40}, ?[^\W\d_][^",\n\d]{0,40})"')
_JAR_LABEL = re.compile(r"(?i:labell?ed|marked|designated|identified)[^\"“”\n]{0,40}[\"“]")


def find_names(text: str, tokens: list[NameToken], labels: list[Label]) -> list[Identifier]:
    """All names of a text; those found by a label, a title or a degree are looked for again in the whole text."""
    reader = NameReader(text, tokens, load_lexicon())
    strong = [
        *_find_announced(reader, labels),
        *_find_before_degrees(reader),
        *_find_on_jar_labels(reader),
        *_find_in_cells(reader),
    ]
    runs = [*strong, *_find_listed(reader), *_find_recurring(reader, strong)]
    identifiers = [Identifier(*find_span(tokens, first, end), IdentifierKind.NAME) for first, end in runs]
    return [*identifiers, *find_initials(reader, labels)]


def _find_announced(reader: NameReader, labels: list[Label]) -> Iterator[tuple[int, int]]:
    for label in labels:
        if label.kind in {"name", "byline", "title"}:
            yield from _find_after_label(reader, label)


def _find_after_label(reader: NameReader, label: Label) -> Iterator[tuple[int, int]]:
    if label.end >= len(reader.tokens) or (label.phrase == "i.a" and reader.tokens[label.first].word != "i"):
        return
    if reader.tokens[label.end].plain in {"s", "es", "in"} and reader.text_before(label.end) == "(":
        label = replace(label, end=label.end + 1)
    if label.end >= len(reader.tokens):
        return
    between = reader.text_before(label.end)
    colon = _TITLE_COLON if label.kind == "title" else _LABEL_GAP
    has_colon = bool(colon.fullmatch(between)) or (between == " (" and label.phrase.endswith("name"))
    gaps = {"name": _LABEL_GAP, "byline": _BYLINE_GAP, "title": _TITLE_GAP}
    if not has_colon and not gaps[label.kind].fullmatch(between):
        is_below = label.kind != "title" and label.phrase != "i" and _BELOW.fullmatch(between)
        yield from _find_below(reader, label) if is_below else _find_beside(reader, label, between)
    elif label.phrase == "i":
        yield from _find_undersigned(reader, label.end)
    elif label.kind != "title" or _is_title(reader, label):
        yield from _find_on_line(reader, label, has_colon)


def _find_on_line(reader: NameReader, label: Label, has_colon: bool) -> Iterator[tuple[int, int]]:
    """The names behind a label on its line."""
    if label.kind == "name":
        yield from _find_behind_number(reader, label.end)
    first = _skip_titles(reader, label.end)
    for start, end in _read_names(reader, first, comma=has_colon):
        is_titled = label.kind == "title" or first > label.end
        if is_titled or _is_person(reader, label, start, end, has_colon):
            yield start, end


def _is_person(reader: NameReader, label: Label, start: int, end: int, has_colon: bool) -> bool:
    """Whether words behind a label without a title are a name: no word of reports, no label, no lone capitals."""
    run = reader.tokens[start:end]
    certain = [token for token in run if reader.is_certain(token)]
    is_listed = any(reader.words.is_listed(token.plain) for token in run)
    if _LABEL_AGAIN.match(reader.text, run[-1].end) or not (
        certain or (is_listed and label.kind == "name" and has_colon)
    ):
        return False
    if not has_colon and any(token.is_all_caps for token in run) and len(label.phrase) > 4:
        return len(certain) > 1 or is_listed
    return is_listed or len(run) > 1 or len(run[0].word) > (3 if run[0].is_all_caps else 1)


def _find_below(reader: NameReader, label: Label) -> Iterator[tuple[int, int]]:
    """The name on the line below a label, which must look like one: the label may be empty and the line another's."""
    first = _skip_titles(reader, label.end)
    for start, end in _read_names(reader, first, comma=True):
        if not _is_name_line(reader, label, start, end, is_titled=first > label.end):
            return
        yield start, end


def _is_name_line(reader: NameReader, label: Label, start: int, end: int, is_titled: bool) -> bool:
    run = reader.tokens[start:end]
    certain = [token for token in run if reader.is_certain(token)]
    words = [token for token in run if len(token.word) > 1 and token.plain not in PARTICLES]
    is_listed = any(reader.words.is_listed(token.plain) for token in words)
    if not certain or any(looks_medical(token.plain) for token in words if not reader.words.is_listed(token.plain)):
        return False
    if is_titled:
        return True
    if not _LINE_REST.match(reader.text, run[-1].end):
        return False
    is_closing = label.kind == "byline" and not label.phrase.endswith((" by", " to", " of", " with"))
    return is_listed or (len(words) > 1 and all(map(_is_spelt, words))) or (is_closing and len(run[0].word) > 2)


def _is_spelt(token: NameToken) -> bool:
    """Whether a word is written as names are, which debris of a scan is not."""
    return len(token.word) > 2 and (
        token.is_all_caps or token.word[1:].islower() or "-" in token.word or "'" in token.plain
    )


def _is_title(reader: NameReader, label: Label) -> bool:
    """Whether a word is a title here: "Dr" always, "Sister" and "MR" only before what can be nothing else."""
    token, following = reader.tokens[label.first], reader.tokens[label.end]
    if not _is_written_as_title(token) or _lacks_accent(label, token):
        return False
    is_unlisted = following.is_all_caps and not reader.words.is_listed(following.plain)
    if is_unlisted and (len(following.word) < 4 or looks_medical(following.plain)):
        return False
    is_bare_capitals = (
        label.phrase in _CODES
        and token.is_all_caps
        and "." not in reader.text_before(label.end)
        and not following.is_all_caps
    )
    if is_bare_capitals and following.word[0].isupper():
        return reader.words.is_listed(following.plain) or following.is_initial
    if label.phrase.rstrip(".") in _PLAIN_TITLES or label.end - label.first > 1:
        return True
    end = reader.read_name(label.end, comma=False)
    if label.phrase == "d":
        return end - label.end > 1 and all(map(reader.is_certain, reader.tokens[label.end : end]))
    return (
        end > label.end
        and reader.is_certain(following)
        and not _EPONYM_NOUN.match(reader.text, reader.tokens[end - 1].end)
    )


def _lacks_accent(label: Label, token: NameToken) -> bool:
    """Whether a short title differs from a word by its accent only ("Dª" and "da", "Dña" and DNA)."""
    is_short = len(label.phrase) <= 4 and label.phrase != fold(label.phrase)
    return is_short and token.word.lower() != label.phrase.split()[0].rstrip(".")


def _is_written_as_title(token: NameToken) -> bool:
    return token.word[0].isupper() or token.plain in _LOWER_TITLES


def _find_behind_number(reader: NameReader, at: int) -> Iterator[tuple[int, int]]:
    """The name behind an id ("Re: S19-12345 Roe")."""
    first = reader.tokens[at]
    if at + 1 < len(reader.tokens) and (not first.plain or any(mark.isdigit() for mark in first.word)):
        end = reader.read_name(at + 1, comma=True)
        run = reader.tokens[at + 1 : end]
        if re.fullmatch(r"[ ,;:()]{1,4}", reader.text_before(at + 1)) and any(
            len(token.word) > 2 and reader.is_certain(token) for token in run
        ):
            yield at + 1, end


def _find_beside(reader: NameReader, label: Label, between: str) -> Iterator[tuple[int, int]]:
    """Behind a label without a colon: a listed name, or two words or more that can be nothing else."""
    token = reader.tokens[label.end]
    if label.kind != "name" or (len(label.phrase) < 4 and label.phrase not in _BEFORE_NAMES):
        return
    if not re.fullmatch(r"\.?[ ]{1,20}", between):
        return
    end = reader.read_name(label.end, comma=True)
    run = reader.tokens[label.end : end]
    words = [word for word in run if len(word.word) > 1 and word.plain not in PARTICLES]
    if len(words) < (2 if label.phrase in _ENGLISH_PATIENT else 1):
        return
    is_unlisted_name = (
        label.phrase in _BEFORE_NAMES and all(map(reader.is_certain, words)) and all(map(_is_spelt, words))
    )
    if label.phrase in _MOVES:
        return
    is_followed = _LABEL_AGAIN.match(reader.text, run[-1].end) or _EPONYM_NOUN.match(reader.text, run[-1].end)
    if not is_followed and (reader.words.is_listed(token.plain) or is_unlisted_name):
        yield label.end, end


def _find_undersigned(reader: NameReader, at: int) -> Iterator[tuple[int, int]]:
    """ "I, Jane Roe, the attending pathologist"."""
    end = reader.read_name(at, comma=False)
    if (
        reader.text_before(at) == ", "
        and end - at >= 2
        and end < len(reader.tokens)
        and reader.text_before(end).startswith(",")
    ):
        yield at, end


def _read_names(reader: NameReader, at: int, comma: bool) -> Iterator[tuple[int, int]]:
    """The name at a token and those listed after it on the line, with their degrees between ("A, MD; B, MD")."""
    for _ in range(_MOST_NAMES):
        if at >= len(reader.tokens):
            return
        end = reader.read_name(at, comma)
        if end == at:
            end = reader.read_listed_names(at) if comma else at
        if end == at:
            return
        yield at, end
        at = _find_next_name(reader, _skip_degrees(reader, end))


def _find_next_name(reader: NameReader, at: int) -> int:
    """Where the next of several names may start: behind ";", "/" or "and"; the end of the text where none may."""
    tokens = reader.tokens
    if at < len(tokens) and _NEXT_NAME.fullmatch(reader.text_before(at)):
        return _skip_titles(reader, at)
    if (
        at + 1 < len(tokens)
        and tokens[at].plain in _CONJUNCTIONS
        and reader.text_before(at) == reader.text_before(at + 1) == " "
    ):
        after = _skip_titles(reader, at + 1)
        if after < len(tokens) and reader.is_proper(tokens[after]):
            return after
    return len(tokens)


def _skip_titles(reader: NameReader, at: int) -> int:
    for _ in range(_MOST_TITLES):
        is_title = at < len(reader.tokens) and reader.tokens[at].plain in _TITLES
        if not is_title or (at + 1 < len(reader.tokens) and not _TITLE_GAP.fullmatch(reader.text_before(at + 1))):
            return at
        at += 1
    return at


def _skip_degrees(reader: NameReader, at: int) -> int:
    while (
        at < len(reader.tokens)
        and len(reader.text_before(at)) <= 2
        and _NEXT_NAME.fullmatch(reader.text_before(at)) is None
    ):
        if not (reader.is_degree(reader.tokens[at]) or reader.tokens[at].is_initial):
            break
        at += 1
    return at


def _find_before_degrees(reader: NameReader) -> Iterator[tuple[int, int]]:
    """ "Jane Roe, MD", "J. Roe, M.D.": two words or more, or a listed one, not a town before a postal code."""
    tokens = reader.tokens
    for at in range(1, len(tokens)):
        is_dotted = tokens[at].word == "M" and at + 1 < len(tokens) and tokens[at + 1].word == "D"
        if not (is_dotted or reader.is_degree(tokens[at])) or not re.fullmatch(
            r"[ ]?,?[ ]{1,2}", reader.text_before(at)
        ):
            continue
        if at + 1 < len(tokens) and tokens[at + 1].word[:5].isdigit():
            continue
        first = _walk_back(reader, at)
        is_listed = any(reader.words.is_listed(token.plain) for token in tokens[first:at])
        if is_listed or (at - first >= 2 and any(map(reader.is_certain, tokens[first:at]))):
            yield first, at


def _walk_back(reader: NameReader, at: int) -> int:
    """First token of the name that ends before token `at`."""
    first = at
    while first > 0 and at - first < 5:
        token = reader.tokens[first - 1]
        if first < at and not re.fullmatch(r"\.?[ ]|\.", reader.text_before(first)):
            break
        if not (reader.is_name_like(token) or token.is_initial or (token.plain in PARTICLES and first < at)):
            break
        first -= 1
    while first < at and reader.tokens[first].plain in PARTICLES and reader.tokens[first].word.islower():
        if reader.is_name_like(reader.tokens[min(first + 1, at - 1)]):
            break
        first += 1
    return first


def _find_on_jar_labels(reader: NameReader) -> Iterator[tuple[int, int]]:
    """'Received labeled "SMITH, JOHN"': two words or more, or a listed one."""
    starts = {match.end() for match in _JAR_LABEL.finditer(reader.text)}
    for at, token in enumerate(reader.tokens):
        if token.start in starts:
            end = reader.read_name(at, comma=True)
            proper = [word for word in reader.tokens[at:end] if reader.is_certain(word)]
            if len(proper) >= 2 or any(reader.words.is_listed(word.plain) for word in proper):
                yield at, end


def _find_in_cells(reader: NameReader) -> Iterator[tuple[int, int]]:
    """HL7 components "SMITH^JOHN^A" and quoted cells "Smith, John"."""
    by_start = {token.start: at for at, token in enumerate(reader.tokens)}
    for pattern in (_CARETS, _QUOTED_NAME):
        for match in pattern.finditer(reader.text):
            first = by_start.get(match.start(1))
            if first is None:
                continue
            end = reader.read_name(first, comma=True)
            proper = [word for word in reader.tokens[first:end] if reader.is_name_like(word)]
            is_certain = all(reader.is_certain(word) or reader.words.is_listed(word.plain) for word in proper)
            if len(proper) >= 2 and is_certain and reader.tokens[end - 1].end >= match.end() - 3:
                yield first, end


def _find_listed(reader: NameReader) -> Iterator[tuple[int, int]]:
    """Names without a label: a listed given name and a surname, or an unlisted word beside a listed surname."""
    for at, token in enumerate(reader.tokens):
        if token.is_initial:
            yield from _find_after_initials(reader, at)
        elif token.word[0].isupper() and reader.words.is_listed(token.plain) and reader.is_name_like(token):
            yield from _find_listed_pair(reader, at)


def _find_listed_pair(reader: NameReader, at: int) -> Iterator[tuple[int, int]]:
    end = reader.read_name(at, comma=True)
    if _is_inverted(reader, at, end):
        yield at, end
        return
    end = reader.read_name(at, comma=False)
    names = [token for token in reader.tokens[at:end] if len(token.word) > 1 and token.plain not in PARTICLES]
    if len(names) > 1 and _is_pair(reader, names) and not _EPONYM_NOUN.match(reader.text, reader.tokens[end - 1].end):
        yield at, end


def _is_pair(reader: NameReader, names: list[NameToken]) -> bool:
    """Whether words in a row are a person: one of them proper and listed, and each listed in a line of capitals."""
    words = reader.words
    listed_names = [token for token in names if words.is_listed(token.plain)]
    certain = [token for token in names if reader.is_proper(token)]
    if any(token.is_all_caps for token in names):
        return (
            len(listed_names) == len(names)
            and bool(certain)
            and not any(words.is_ordinary(token.plain) for token in names)
        )
    if reader.is_proper(names[0]) and words.is_given_name(names[0].plain):
        is_short = len(names[0].word) < 3
        return words.is_surname(names[1].plain) or (reader.is_certain(names[1]) and not is_short)
    return len(certain) == len(names) and len(listed_names) > 1


def _is_inverted(reader: NameReader, at: int, end: int) -> bool:
    """Whether "A, B" is a surname with a given name or an initial after the comma."""
    for index in range(at + 1, end):
        if "," in reader.text_before(index):
            token = reader.tokens[index]
            surname = reader.tokens[index - 1]
            is_surname = reader.words.is_surname(surname.plain) and not reader.words.is_eponym(surname.plain)
            return is_surname and reader.words.is_given_name(token.plain) and reader.is_proper(token)
    return False


def _find_after_initials(reader: NameReader, at: int) -> Iterator[tuple[int, int]]:
    """ "J. Smith" with a listed surname, "J.R. Roe" with any; a single letter before an ordinary word is a specimen."""
    if at and reader.tokens[at - 1].is_initial and reader.text_before(at) in {".", ". ", " ", ""}:
        return
    end = reader.read_name(at, comma=False)
    run = reader.tokens[at:end]
    proper = [token for token in run if reader.is_certain(token)]
    if (
        end == at
        or not proper
        or reader.text.startswith(" of ", run[-1].end)
        or not reader.text_before(at + 1).startswith(".")
    ):
        return
    initials = sum(token.is_initial for token in run)
    has_two = initials >= 2 and len(proper) == 1 and len(proper[0].word) > 2 and not proper[0].is_all_caps
    is_listed = any(reader.words.is_surname(token.plain) for token in proper) and len(proper) == len(run) - initials
    if has_two or is_listed:
        yield at, end


def _find_recurring(reader: NameReader, strong: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Words of names found for certain, wherever they stand capitalised again, in the genitive or out of it."""
    certain_words = {
        stem
        for first, end in strong
        for token in reader.tokens[first:end]
        if len(token.word) > 2 and token.plain not in PARTICLES and reader.is_certain(token)
        for stem in _list_stems(token.plain)
    }
    for at, token in enumerate(reader.tokens):
        if (
            not token.word[0].isupper()
            or certain_words.isdisjoint(_list_stems(token.plain))
            or not reader.is_certain(token)
        ):
            continue
        first = _walk_back(reader, at + 1)
        proper = all(
            neighbour.is_initial or neighbour.plain in PARTICLES or reader.is_proper(neighbour)
            for neighbour in reader.tokens[first:at]
        )
        yield first if proper else at, at + 1


def _list_stems(word: str) -> tuple[str, ...]:
    """A folded name as it stands and without the "'s" or, in long ones, the "s" of a genitive."""
    stem = word.removesuffix("'s")
    return (stem, stem[:-1]) if stem.endswith("s") and len(stem) > 5 else (stem,)


_CONJUNCTIONS = frozenset(("and", "und", "et", "en", "y", "e"))
_LOWER_TITLES = frozenset(("dhr", "mevr", "mevrouw", "meneer", "mw", "dr", "drs", "prof", "mr", "mrs", "ms"))
_PLAIN_TITLES = frozenset(map(fold, read_words("titles.txt")))
_TITLES = _PLAIN_TITLES | {phrase for phrase in map(fold, list_phrases("labels", "title")) if phrase.isalpha()}
_CODES = frozenset(("mr", "ms", "dr", "sr"))
_MOVES = frozenset(("from", "copy", "copies", "regarding", "attention", "son", "partner", "staff", "caller"))
_ENGLISH_PATIENT = frozenset(("patient", "paciente", "patiente", "patiënt", "patiënte"))
_NAMED_WORDS = """
patient patientin patiente paciente paziente patiënt patiënte pasient potilas sjúklingur sjúkl nafn née nee geborene
navn namn naam residente patolog læknir
"""
_BEFORE_NAMES = frozenset(_NAMED_WORDS.split())
