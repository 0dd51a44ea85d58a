"""What an archive knows of a slide beside its report, as tokens that search for words compares."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from itertools import pairwise

from histoseek.reports.cleaning.spelling import load_dictionary
from histoseek.reports.concepts.terms import find_terms
from histoseek.reports.concepts.translation import translate
from histoseek.reports.concepts.vocabulary import Vocabulary, load_vocabulary
from histoseek.reports.index.analyser import Term, analyse
from histoseek.reports.language.negation import Status
from histoseek.reports.language.word_forms import list_word_forms
from histoseek.reports.privacy.identifiers.lexicon import fold, load_lexicon
from histoseek.reports.privacy.person_names import is_person_name

RECORD_VERSION = 1
"""Counts up, once a release, whenever a record may give other tokens than before; older archives' are made anew."""

RULED_OUT = "without:"
"""Before a concept that what is normal does not have, though nobody says so."""

WHOLE, PART = "whole~", "part~"
"""Before what a file or a slide is called, and before parts of that: "55" of a name is no number of a diagnosis."""

Value = str | int | float | bool | None

_LONGEST = 2000
"""Characters of a cell that are read."""

_LONGEST_LABELLED = 40
_LONGEST_CODE = 6
_LONGEST_MARKER = 3
_MOST_PARTS = 16
_SHORTEST_NUMBER = 3
_SHORTEST_WORD = 3

_PARTS = re.compile(r"[^\W_]+")
_RUNS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_A-Za-z]+|\d+")
_PLAIN_PART = re.compile(r"[^\W\d_]+\d*|\d+[^\W\d_]*")
_PSEUDONYM = re.compile(r"patient-[0-9a-f]{12}")
_NUMBER = re.compile(r"[-+]?\d+(?:[.,]\d+)?%?")
_ABSENT = re.compile(
    r"(?:none|null|nil|na|n a|nan|unknown|missing|undetermined|unspecified|unclassified|indeterminate|tbd|pending|"
    r"(?:not|un) ?(?:available|applicable|reported|specified|known|given|stated|recorded|provided|done|assessed|"
    r"evaluated|evaluable|performed|collected|documented|determined|tested))?",
    re.IGNORECASE,
)
_ANSWERS = {
    **dict.fromkeys(("yes", "y", "true", "present", "detected"), "yes"),
    **dict.fromkeys(("no", "n", "false", "absent", "not detected"), "no"),
    **dict.fromkeys(("positive", "pos"), "positive"),
    **dict.fromkeys(("negative", "neg"), "negative"),
}
_NOT_A_TUMOUR = re.compile(r"\bnon[- ]?(?=(?:tumou?r|cancer|carcinoma|neoplas|malignan)[a-z]*\b)", re.IGNORECASE)
_CATEGORY = re.compile(r"(?:ajcc |pathologic(?:al)? |clinical )?([cp]?)([tnm])(?: stage| category)?")
_SEXES = {"f": "female", "m": "male"}
_HARMLESS = frozenset(("norm", "health", "benign"))
_MALIGNANT = ("malignant-neoplasm", "carcinoma")
_INVERTED_NAME = re.compile(r"[,^]")
_DENIALS = frozenset(("no", "non", "not", "without"))
_PERSONAL = frozenset(
    (
        *("name", "names", "surname", "lastname", "firstname", "forename", "fullname", "nickname", "nachname"),
        *("vorname", "familienname", "prenom", "naam", "achternaam", "voornaam", "apellido", "cognome"),
        *("phone", "telephone", "tel", "fax", "mobile", "email", "mail", "address", "street", "birth", "birthdate"),
        *("birthday", "dob", "ssn", "insurance", "mrn"),
    )
)


@dataclass(frozen=True, slots=True)
class RecordField:
    """A cell of a slide's record; is_name: it is what the slide, its file, case or patient is called."""

    name: str
    value: Value
    is_name: bool = False


def list_record_tokens(fields: Iterable[RecordField]) -> tuple[str, ...]:
    """The tokens of a record, each once, with what cells say together: "lung" and "SCC" that it is one of the lung."""
    tokens = dict.fromkeys(token for field in fields for token in list_field_tokens(field))
    return (*tokens, *(token for token in list_joint_tokens(tokens) if token not in tokens))


def list_joint_tokens(tokens: Iterable[str]) -> tuple[str, ...]:
    """The diagnoses that a record's diagnoses and organs are together, unless something has come from elsewhere."""
    named = [token.split(":") for token in tokens if token.startswith(("diagnosis:", "anatomy:"))]
    diagnoses = tuple(concept_id for field, concept_id in named if field == "diagnosis")
    organs = tuple(concept_id for field, concept_id in named if field == "anatomy")
    return _join_organs(diagnoses, organs) if "metastasis" not in diagnoses else ()


def list_field_tokens(field: RecordField) -> tuple[str, ...]:
    """The tokens of one cell: none of an empty one, or one that says that nothing is known."""
    if field.is_name:
        return _list_name_tokens(str(field.value or ""))
    if field.value is None or _is_personal(field.name, field.value):
        return ()
    return _list_value_tokens(field.name, field.value, isinstance(field.value, str))


@lru_cache(maxsize=4096)
def _join_organs(diagnoses: tuple[str, ...], organs: tuple[str, ...]) -> tuple[str, ...]:
    vocabulary = load_vocabulary()
    own = {organ for concept_id in diagnoses if (organ := vocabulary.find_organ(concept_id))}
    joint: dict[str, None] = {}
    for organ in organs if not own else own.intersection(organs):
        for concept_id in diagnoses:
            text = f"{vocabulary[organ].name} {vocabulary[concept_id].name}"
            mentions = find_terms(text, vocabulary)
            if len(mentions) == 1 and (mentions[0].start, mentions[0].end) == (0, len(text)):
                above = vocabulary.find_ancestors(mentions[0].concept_id)
                joint.update(dict.fromkeys(f"diagnosis:{one}" for one in (mentions[0].concept_id, *sorted(above))))
    return tuple(joint)


def fold_name(text: str) -> str:
    """A name, or part of one, as names are compared: in lower case, a hyphen at each separator."""
    return "-".join(_PARTS.findall(text.casefold()))


def find_code(text: str) -> str | None:
    """What a code says, None for what is none: "READ", "TCGA-READ", "C34.1", "8140/3"."""
    codes = _load_words()["codes"]
    folded = fold_name(text).removeprefix("tcga-")
    meaning = codes.get(folded) or (codes.get(folded.partition("-")[0]) if folded.startswith("c") else None)
    return str(meaning) if meaning else None


def spells_code(word: str) -> bool:
    """Whether a word that is typed may be a code: in capitals, or no English ("read" is none)."""
    return word.isupper() or not load_dictionary(load_vocabulary().spellings).knows(word.lower())


def list_everyday(word: str) -> Sequence[str]:
    """What pathology calls what an everyday word stands for."""
    meanings: Sequence[str] = _load_words()["everyday"].get(word.lower(), ())
    return meanings


def spell_codes(text: str, vocabulary: Vocabulary) -> str:
    """The text as reports would write it, every letter at its place: "lung_scc" is "lung SCC", "non_tumor" "no tumor".

    Short words get capitals where they are an abbreviation so, and no English.
    """
    usual = load_dictionary(vocabulary.spellings).common
    plain = _NOT_A_TUMOUR.sub(lambda match: "no".ljust(len(match[0])), text.replace("_", " "))

    def spell(match: re.Match[str]) -> str:
        word, upper = match.group(), match.group().upper()
        is_code = 1 < len(word) <= _LONGEST_CODE and word.islower() and len(upper) == len(word) and word not in usual
        return upper if is_code and find_terms(upper, vocabulary) else word

    return _PARTS.sub(spell, plain)


@lru_cache(maxsize=16384)
def _list_value_tokens(name: str, value: str | int | float | bool, is_text: bool) -> tuple[str, ...]:
    label = " ".join(_PARTS.findall(name)).lower()
    text = (value if isinstance(value, str) else str(value)).strip()[:_LONGEST]
    text = _SEXES.get(text.lower(), text) if label in ("sex", "gender") else text
    plain = " ".join(_PARTS.findall(text))
    if _ABSENT.fullmatch(plain):
        return ()
    answer = _ANSWERS.get(plain.lower())
    if answer is not None:
        return _list_answer_tokens(label, answer)
    labelled = _list_labelled(label, text) if len(text) <= _LONGEST_LABELLED else ()
    if not is_text or _NUMBER.fullmatch(text):
        return labelled
    read = (*_list_tokens(_read(text)), *_list_tokens(_read_translated(text)))
    words = tuple(token for token in read if not _says_nothing(token, text))
    ruled_out = _list_ruled_out(words) if name == "diagnosis" else ()
    named = _list_named(label) if words and len(text) <= _LONGEST_LABELLED else ()
    return tuple(dict.fromkeys((*words, *labelled, *_list_code_tokens(text), *ruled_out, *named)))


def _list_named(label: str) -> Iterator[str]:
    """The words of a column's name that are no English: of "EGFR" and "mutated" both are meant."""
    usual = load_dictionary(load_vocabulary().spellings).common
    for word in label.split():
        if word not in usual:
            yield from (form for _, form in list_word_forms(word))


def _list_ruled_out(words: Sequence[str]) -> tuple[str, ...]:
    """What a diagnosis such as "normal mucosa" or "benign tissue" says is not there."""
    if any(token.startswith(("diagnosis:", "possible:")) for token in words) or _HARMLESS.isdisjoint(words):
        return ()
    is_tissue = "benign" not in words or any(token.startswith(("anatomy:", "tissue:")) for token in words)
    denied = ("neoplasm", *_MALIGNANT) if is_tissue else _MALIGNANT
    return tuple(RULED_OUT + concept_id for concept_id in denied)


def _list_labelled(label: str, text: str) -> tuple[str, ...]:
    """The grades, stages and stains that a cell gives under the name of its column."""
    category = _CATEGORY.fullmatch(label)
    if category and text[:1].isdigit():
        return _list_tokens(_read(f"{category[1]}{category[2].upper()}{text}"), "value")
    return _list_tokens(_read(f"{_spell_label(label)}: {text}"), "value")


def _spell_label(label: str) -> str:
    """Short words in capitals, as markers are: "er status" is "ER status"."""
    return " ".join(word.upper() if len(word) <= _LONGEST_MARKER else word for word in label.split())


def _says_nothing(token: str, text: str) -> bool:
    """Whether a word is a letter, or a part of a code: "1" of "C34.1"."""
    return (len(token) == 1 and token.isascii() and token.isalpha()) or (
        token.isdigit() and len(token) < _SHORTEST_NUMBER and " " not in text
    )


def _list_answer_tokens(label: str, answer: str) -> tuple[str, ...]:
    """Of "necrosis" and "yes" what it says of necrosis; of "HER2" and "positive" that alone."""
    terms = _read(f"{_spell_label(label)}: {answer}")
    values = _list_tokens(terms, "value")
    stated = [term for term in terms if term.start < len(label)]
    if not any(term.kind == "concept" for term in stated):
        return values
    return values or _list_tokens(stated)


def _list_code_tokens(text: str) -> Iterator[str]:
    """A cell that is one code: what it says, and its parts as those of names."""
    meaning = find_code(text)
    yield from _list_tokens(_read(meaning)) if meaning else ()
    if " " not in text and _has_digit(text) and len(text) >= _SHORTEST_NUMBER:
        yield from _list_parts(text)


def _read(text: str) -> tuple[Term, ...]:
    vocabulary = load_vocabulary()
    return analyse(spell_codes(text, vocabulary), vocabulary=vocabulary) if text else ()


def _read_translated(text: str) -> tuple[Term, ...]:
    """What a cell in another language says in English, beside its own words."""
    english = translate(text)
    return _read(english) if english != text else ()


def _list_tokens(terms: Iterable[Term], kind: str | None = None) -> tuple[str, ...]:
    """The tokens of terms, with the words of the names of what is affirmed, and the organs of diagnoses."""
    vocabulary = load_vocabulary()
    tokens: dict[str, None] = {}
    for term in terms:
        if kind is not None and term.kind != kind:
            continue
        tokens[term.token] = None
        if term.kind == "concept" and term.status == Status.AFFIRMED:
            concept_id = term.token.partition(":")[2]
            tokens.update(dict.fromkeys(_list_words_of(concept_id)))
            if organ := vocabulary.find_organ(concept_id):
                tokens[f"anatomy:{organ}"] = None
    return tuple(tokens)


@lru_cache(maxsize=4096)
def _list_words_of(concept_id: str) -> tuple[str, ...]:
    """The words of a concept's name."""
    vocabulary = load_vocabulary()
    return tuple(term.token for term in analyse(vocabulary[concept_id].name) if term.kind == "word")


@lru_cache(maxsize=4096)
def _list_name_tokens(name: str) -> tuple[str, ...]:
    """What something is called as a whole, its parts, and the words in it; nothing of persons' names."""
    stem = re.sub(r"(\.[A-Za-z][A-Za-z0-9]{0,5}){1,2}$", "", name)
    if _PSEUDONYM.fullmatch(name) or (not _has_digit(name) and _holds_person(stem)):
        return ()
    if _holds_person(stem):
        return tuple(dict.fromkeys((WHOLE + fold_name(name), WHOLE + fold_name(stem))))
    words = _read(" ".join(_list_name_words(stem)))
    return tuple(dict.fromkeys((*_list_parts(name), *_list_parts(stem), *_list_tokens(words))))


def _holds_person(name: str) -> bool:
    """Whether a person's name is in a name, of which then nothing is found but the whole."""
    if _INVERTED_NAME.search(name) and is_person_name(name):
        return True
    lexicon, terms = load_lexicon(), load_vocabulary().spellings
    words = (fold(run) for part in _PARTS.findall(name) for run in _RUNS.findall(part) if len(run) >= _SHORTEST_WORD)
    return any(lexicon.is_listed(word) and not lexicon.is_ordinary(word) and word not in terms for word in words)


def _list_parts(name: str) -> Iterator[str]:
    """The whole, each two parts that are neighbours, so that any run of parts can be told, and parts with a digit."""
    parts = _PARTS.findall(name.casefold())[:_MOST_PARTS]
    if parts:
        yield WHOLE + fold_name(name)
    yield from (f"{PART}{before}-{part}" for before, part in pairwise(parts))
    for part in filter(_has_digit, parts):
        yield PART + part
        if _PLAIN_PART.fullmatch(part):
            yield from (PART + run for run in re.findall(r"\d+", part) if len(run) >= _SHORTEST_NUMBER)


def _has_digit(text: str) -> bool:
    return any(character.isdigit() for character in text)


def _list_name_words(stem: str) -> list[str]:
    """The words of a name; not the letters of hexadecimal numbers, nor a "no" before a number."""
    parts = [part for part in _PARTS.findall(stem) if _PLAIN_PART.fullmatch(part)]
    runs = [run for part in parts for run in _RUNS.findall(part)]
    pairs = zip(runs, (*runs[1:], ""), strict=False)
    return [
        run
        for run, following in pairs
        if (run.isalpha() and len(run) >= _SHORTEST_WORD) or (run.lower() in _DENIALS and following.isalpha())
    ]


def _is_personal(name: str, value: Value) -> bool:
    """Whether a column that somebody chose to keep says who a person is, or how to reach them."""
    words = set(_PARTS.findall(name.lower().replace("_", " "))) & _PERSONAL
    if not words or not isinstance(value, str):
        return bool(words)
    return not all(word.endswith("name") for word in words) or is_person_name(value)


@lru_cache(maxsize=1)
def _load_words() -> Mapping[str, Mapping[str, Sequence[str]]]:
    return tomllib.loads((files("histoseek.reports.index") / "record_words.toml").read_text("utf-8"))
