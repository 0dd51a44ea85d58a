"""What is denied, doubted, past or said of others: scoped cues over clauses, after NegEx (Chapman et al. 2001) and
ConText (2009), and the answers of forms."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from histoseek.reports.language.answers import Answer, AnswerKind, find_answers
from histoseek.reports.language.choices import Option, find_choices
from histoseek.reports.language.clauses import split_clauses, split_statements
from histoseek.reports.language.cues import Cue, Status, find_cues, load_reach, match_answer
from histoseek.reports.language.reach import SHORT_REMARK, find_backward_start, find_forward_end
from histoseek.reports.language.words import Span, lower_in_place

__all__ = ["Scope", "ScopeIndex", "Status", "find_scopes"]

_ANSWER_STATUSES = {
    AnswerKind.NO: Status.NEGATED,
    AnswerKind.UNSTATED: Status.UNSTATED,
    AnswerKind.DOUBT: Status.UNCERTAIN,
}
# No cue reaches farther than this many characters.
_FARTHEST = 400
# Where scopes overlap, the first of these that applies holds.
_PRECEDENCE = (Status.ELSEWHERE, Status.NEGATED, Status.UNSTATED, Status.HISTORICAL, Status.UNCERTAIN)
_COUNT = re.compile(
    r"(?<![\w./-])0\s?(?:/|of|out\s+of)\s?(?:the\s+)?(?:\d{1,3}\b(?!\s?[/%+])|[a-z]{2,12}(?=\s+(?:\w+\s+){0,3}(?:nodes?|cores?)))|"
    r"(?<![\w.,/-])(?:0|zero)(?=[ ]+(?:(?:lymph|sentinel|regional|involved)[ ]+){0,2}"
    r"(?:nodes?|cores?|blocks?|fragments?|positive|involved)\b)"
)
_PERCENT = re.compile(r"(?<![\d.,<>\u2264\u2265/-])(?<![-\u2013] )0(?:[.,]0+)?\s?%(?!\s?(?:-|\u2013|to\b))")
_SIGN = re.compile(
    r"[(\[]\s?(?:[-\u2013\u2212]|neg(?:ative)?\.?|none|nil|no)\s?[)\]]|(?<![\w-])-\s?ve\b(?!\s+for)|(?<=\w)\s-(?=\s?[,;]|\.(?:\s|$))|"
    r"(?<=[a-z]{2})-(?=\s{0,3}[,;)])"
)
# "Non-neoplastic kidney" denies the one word; longer terms are more than it reaches ("non-invasive carcinoma").
_NON = re.compile(r"\bnon(?:-\s?(?!invasive)[a-z]{4,20}|\s[a-z]{3,20}(?:ic|ous|ant|ed|ing))\b")
# "LVI 0, PNI 1": a code of none behind a name that has the phrase for itself.
_CODE = re.compile(
    r"(?:^|(?<=[.,;:(|/\n]))[ \t]*(?P<name>[a-z]{2,14})[ \t]?=?[ \t]?(?P<code>0)(?=[ \t]*(?:[,;|)/\n]|\.\s|\.?$))",
    re.MULTILINE,
)
_FREE = re.compile(
    r"\b(?:(?:[a-z]{3,20} )?[a-z]{3,20}\s?-\s?|(?:tumou?r|cancer|carcinoma|disease|malignancy|metastasis)\s)"
    r"(?P<free>free)\b(?!\s+(?:of|from)\b)"
)
_DATED = re.compile(
    r"\b(?:diagnosed|treated|resected|excised|removed|operated(?:\s+on)?)\s+(?:in\s+)?(?:[a-z]{3,9}\.?,?\s+)?(?:19|20)\d\d\b|"
    r"(?<=[a-z] )in\s+(?:19|20)\d\d\b"
)
_CONTROLS = re.compile(
    r"\W*(?:the\s+)?(?:\w+\s+){0,2}?(?:controls|(?:positive|negative|internal|external|tissue)\s+control|"
    r"control\s+(?:slides?|sections?|tissues?|blocks?|cases?))\b"
)
# A case that is put: "Were melanoma to be present, ...", "Should carcinoma be found, ...".
_SUPPOSED = re.compile(
    r"\W*(?:(?:were|should)\s+(?:\w+\s+){1,6}?(?:(?:to\s+)?be|recur|exist|prove)|had\s+(?:\w+\s+){1,4}?been)\b"
)
# What is said of a kind of tumour, not of one: "in about 50% of melanomas".
_GENERIC = re.compile(
    r"\b(?:in|of)\s+(?:(?:about|approximately|up to|around|nearly|over)\s+|~\s?)?\d{1,3}(?:\s?[-\u2013]\s?\d{1,3})?\s?%"
    r"\s+of\s+(?P<kind>(?:all\s+)?(?:\w+[\s-]){0,4}?(?:\w*omas|cancers|gists|patients|tumou?rs))\b"
)
_SITE_WORDS = re.compile(r"(?:(?:both|all)\s+)?neg|free|clear|uninvolved|not involved|non-?reactive|0")
_PHRASE_END = re.compile(r"[,;:()]|\b(?:is|are|was|were|can|has|have)\b|\s[-\u2013]\s")
_NOTHING = re.compile(
    r"\s*\n(?!\s*(?:for|of|by)\b)|\s*(?:$|\d{1,2}[.)]\s|[.,;:)(\]|*]|-{1,2}\s|\u2013|(?:and|or|but|in|on|at|by|with|within|from|as|also|while|although|however|see|here|due|because|owing|given|secondary|"
    r"throughout|during|per|this|focally|grossly|is|are|was|were)\b)"
)
# "Yes No" at a line's end is a choice of a form.
_LAST_NO = re.compile(r"no[ \t]*\n")
_YES = re.compile(r"yes[\s\d.)/|]*$")
_PATIENT = re.compile(r"(?<!of )(?<!of the )\bpatient\b(?!['\u2019]s)")
# "The carcinoma cells are PAX8 negative": a stain between the verb and its result.
_STAIN = re.compile(
    r"\b(is|are|was|were)\s+(?:(?:for|also)\s+)?(?!all\b|both\b|also\b|now\b)(?:\w*\d[\w/-]*|\w+-\w+|\w{2,4})(?:(?:,|/|\s+and|\s+or)?\s*[\w/-]{2,12}){0,3}\s*$"
)
_BARE_STAIN = re.compile(
    r"(?<=[a-z])(\s+)(?!(?:[cavp]|va)in[ -]?\d|p[tn]\d)"
    r"(?:[a-z]+[a-z-]*\d[\w/-]*|er|pr|er/pr|psa|egfr|alk|braf|hpv|ebv)\s*$"
)
_LONG_WORD = re.compile(r"[a-z]{6,}")
# "Extracapsular spread of lymph node metastases: no" denies no metastases.
_OWNER = re.compile(
    r"(?<=spread|ension)\s+(?:of|by|from)\s+(?=(?:the\s+)?(?:(?:lymph\s+)?nod(?:e|al)\s+)?(?:metast|tumou?r|carcinoma))"
)
_LETTER = re.compile(r"(?<![^\W_])\(?[a-z\d][.)][ \t]{0,2}$")
# "Malignant cells: not identified" denies them; "Tumor cells: negative" is a stain's result.
_CELLS = re.compile(r"\bcells$")
_SHORTEST_WORD = 5
_LAST_WORD = re.compile(r"[a-z]+$")
_ANY_WORD = re.compile(r"[a-z]{2,}")
# A label's abbreviation, in brackets or alone.
_SHORT_NAME = re.compile(r"(?<=\()[a-z]{2,6}(?=\))")
_COPULAS = frozenset({"is", "are", "was", "were", "any", "residual", "evidence", "of", "definite"})
_REMARK = re.compile(r"\(([^()]{0,80})\)")
# A longer remark with these says where or of what; without them it is another name ("TILs (tumour-infiltrating ...)").
_ASIDE = re.compile(r"\b(?:of|from|in|to|at|the|with|without|for|than|by|outside|beyond|only|if)\b")
_NEAREST_ANSWER = 6
_GOES_ON = re.compile(r",\s*(?:\w+(?: \w+){0,2}\s*,|(?:and|or|nor)\b|\w+(?: \w+){0,2} (?:and|or)\b)")
_QUERY = re.compile(r"(?:^[ \t\-*\u2022]*|[:(,/] ?|(?<=\s)(?=\?\w))\? ?(?=[a-z])", re.MULTILINE)
_NEAREST_QUERIED = 60
_COLON = re.compile(r"\s*:[ \t]*\n?\s*")
_OF = re.compile(r"\s+of\b")
_SPREAD = re.compile(r"\b(?:invasion|extension|involvement|infiltration|metast\w+|spread|penetration)\b")
_NOTHING_THERE = re.compile(r"(?:no|negative|free|uninvolved|without)\b")
# What is absent in one place and present in another is there.
_PRESENT_ELSEWHERE = re.compile(
    r"\s+(?:in|at|on|from|within)\b[^.;:\n]{1,60}?(?:,\s*(?:(?:but|and|while|whereas|although)\s+)?|\s+(?:but|and|while|whereas|although)\s+)(?:it\s+)?(?:(?:is|are|was|were)\s+)?"
    r"(?:focally\s+)?(?:present|seen|identified|found|noted|positive)\b"
)
_CLOSED = re.compile(r"\s*(?:[.;!]|$)")
# "Invasion by the carcinoma is not seen" denies no carcinoma.
_AGENT = re.compile(r"\b(?:by|in|within|into|from|performed on|done on) (?:the|this|these) ")
_INVERTED = re.compile(r"\s*(?::|(?:is|are|was|were)\b)")


Spared = Literal["site", "diagnosis", "benign"]
_SITES: frozenset[Spared] = frozenset({"site"})
_SITES_AND_DIAGNOSES: frozenset[Spared] = frozenset({"site", "diagnosis"})
_SITES_AND_BENIGN: frozenset[Spared] = frozenset({"site", "benign"})


@dataclass(frozen=True, slots=True)
class Scope:
    """A stretch of text that a cue reaches, and the status it gives to what is named there.

    spares: what keeps its own status: sites, that is organs, procedures and margins ("Lymph nodes: negative"),
    diagnoses ("The tumor is negative", "Tumor size: N/A"), or the benign ones ("Reactive hyperplasia (0/1)").
    """

    start: int
    end: int
    status: Status
    cue: Span
    spares: frozenset[Spared] = frozenset()


@lru_cache(maxsize=32)
def find_scopes(text: str) -> tuple[Scope, ...]:
    """Every stretch of a text that is not simply affirmed, in order of the cues."""
    lower = lower_in_place(text)
    answers = find_answers(text)
    answered = [answer.value for answer in answers if answer.kind != AnswerKind.VALUE]
    scopes = [scope for answer in answers for scope in _reach_answer(lower, answer)]
    scopes += [scope for choice in find_choices(text) for scope in _reach_options(choice.options)]
    scopes += _find_queries(lower)
    labels = [answer.label for answer in answers]
    for statement in split_statements(text, lower, answered, labels):
        scopes += _scan_statement(lower, statement, answered)
    return tuple(sorted(scopes, key=lambda scope: (scope.cue.start, scope.start)))


class ScopeIndex:
    """Scopes in order, to look up the status of many places."""

    def __init__(self, ranges: Iterable[Scope]) -> None:
        self._scopes = sorted(ranges, key=lambda scope: scope.start)
        self._longest = max((scope.end - scope.start for scope in self._scopes), default=0)

    def find_status(self, place: Span, kinds: frozenset[Spared] = frozenset()) -> tuple[Status, Span | None]:
        """The status of what stands at a place, and the cue that decides it (None: affirmed)."""
        reaching = [scope for scope in self.list_reaching(place) if not scope.spares & kinds]
        for status in _PRECEDENCE:
            for scope in reaching:
                if scope.status == status:
                    return status, scope.cue
        return Status.AFFIRMED, None

    def list_reaching(self, place: Span) -> list[Scope]:
        """The scopes that a place lies in."""
        first = bisect_left(self._scopes, place.end - self._longest, key=lambda scope: scope.start)
        last = bisect_right(self._scopes, place.start, key=lambda scope: scope.start)
        return [scope for scope in self._scopes[first:last] if place.end <= scope.end]


def _reach_answer(text: str, answer: Answer) -> Iterator[Scope]:
    """An answer of no or none reaches its label; a label of another time or person reaches its value."""
    label, value = answer.label, answer.value
    if answer.kind == AnswerKind.NO and _PRESENT_ELSEWHERE.match(text, value.end):
        return
    if answer.kind in _ANSWER_STATUSES:
        status = _ANSWER_STATUSES[answer.kind]
        asked = load_reach().done.search(text, label.start, label.end)
        asked_end = asked.start() if asked and asked.end() == label.end else label.end
        start = _find_label_start(text, label.start, asked_end)
        if start == label.start:  # a first letter may have been taken for a list's ("H. pylori")
            letter = _LETTER.search(text, max(0, start - 4), start)
            start = letter.start() if letter else start
        owner = _OWNER.search(text, start, label.end)
        end = owner.start() if owner else label.end
        is_attribute = _asks_for_attribute(text, start, label.end) and not (
            status == Status.NEGATED
            and _CELLS.search(text, start, label.end)
            and not _SITE_WORDS.match(text, value.start)
        )
        spares = set[Spared]({"diagnosis"} if is_attribute else ())
        if status == Status.NEGATED and _SITE_WORDS.match(text, value.start):
            spares.add("site")
        for part in _leave_out_remarks(text, start, end):
            yield Scope(part.start, part.end, status, value, frozenset(spares))
    if answer.kind == AnswerKind.VALUE:
        first = next(iter(find_cues(text, value.start, value.end)), None)
        is_negative = first is not None and first.place.start == value.start and first.side == "before"
        if is_negative and _NOTHING_THERE.match(text, value.start) and _is_repeated(text, label, value):
            start = find_backward_start(text, label.start, label.end)
            spared = _SITES if _is_echo(text, label, value, first) else _SITES_AND_DIAGNOSES
            yield Scope(start, label.end, Status.NEGATED, Span(value.start, value.start), spared)
        last = next(reversed(find_cues(text, value.start, value.end)), None)
        if last is not None and (last.status, last.side) == (Status.UNSTATED, "after") and last.place.end == value.end:
            start = find_backward_start(text, label.start, label.end)
            yield Scope(start, label.end, Status.UNSTATED, last.place, _SITES_AND_DIAGNOSES)
        for cue in find_cues(text, label.start, label.end):
            if cue.side == "about" or (cue.status == Status.HISTORICAL and cue.side == "before"):
                yield Scope(value.start, value.end, cue.status, cue.place)
                return


def _find_label_start(text: str, start: int, end: int) -> int:
    """What a label asks for: its last item, and those of its kind before it ("PNI, LVI")."""
    first = find_backward_start(text, start, end)
    kind = _LAST_WORD.search(text, first, end)
    is_short = kind is not None and len(kind[0]) < _SHORTEST_WORD
    before = "[a-z]{2,4}" if is_short else kind[0] if kind else ""
    while before and re.search(rf"\b{before},\s?$", text[start:first]):
        first = find_backward_start(text, start, text.rindex(",", start, first))
    return first


def _is_repeated(text: str, label: Span, value: Span) -> bool:
    """Whether a value denies its label: it names it again ("Necrosis: no necrosis"), or the label is about spread."""
    if _SPREAD.search(text, label.start, label.end):
        return True
    words = set(_LONG_WORD.findall(text[label.start : label.end]))
    words.update(_SHORT_NAME.findall(text, label.start, label.end))
    return not words.isdisjoint(_ANY_WORD.findall(text, value.start, value.end))


def _is_echo(text: str, label: Span, value: Span, cue: Cue | None) -> bool:
    """Whether a value denies what its label names, and nothing else ("DCIS: No DCIS is present")."""
    if cue is None:
        return False
    said = load_reach().done.sub(" ", text[cue.place.end : value.end])
    words = set(_ANY_WORD.findall(said)) - _COPULAS
    return bool(words) and words <= set(_ANY_WORD.findall(text, label.start, label.end))


def _leave_out_remarks(text: str, start: int, end: int) -> Iterator[Span]:
    """A label without longer remarks in brackets ("Dysplasia (away from the carcinoma)")."""
    for match in _REMARK.finditer(text, start, end):
        if len(match[1].split()) >= SHORT_REMARK and _ASIDE.search(match[1]):
            yield Span(start, match.start())
            start = match.end()
    yield Span(start, end)


def _asks_for_attribute(text: str, start: int, end: int) -> bool:
    """Whether a label is about something of a tumour ("Tumor size", "Grade of carcinoma"), not about its presence."""
    reach = load_reach()
    place = reach.place.search(text, start, end)
    return reach.attribute.search(text, start, place.start() if place else end) is not None


def _reach_options(options: Sequence[Option]) -> Iterator[Scope]:
    for option in options:
        if not option.is_ticked:
            start, end = option.place.start, option.place.end
            yield Scope(start, end, Status.UNSTATED, Span(start, start))


def _scan_statement(text: str, statement: Span, answered: Sequence[Span]) -> Iterator[Scope]:
    if text[statement.start : statement.end].rstrip().endswith("?"):
        mark = text.rindex("?", statement.start, statement.end)
        if any(0 < value.start - mark < _NEAREST_ANSWER for value in answered):
            return
        yield Scope(max(statement.start, mark - _FARTHEST), mark, Status.UNCERTAIN, Span(mark, mark + 1))
    for clause in split_clauses(text, statement):
        cues = [cue for cue in find_cues(text, clause.start, clause.end) if not _is_answered(cue.place, answered)]
        yield from _scan_clause(text, clause, cues)
        yield from _scan_numbers(text, clause, answered)
    supposed = _SUPPOSED.match(text, statement.start, statement.end)
    if supposed is not None:
        yield Scope(statement.start, supposed.end(), Status.UNSTATED, Span(supposed.end() - 1, supposed.end()))
    for match in _GENERIC.finditer(text, statement.start, statement.end):
        yield Scope(*match.span("kind"), Status.ELSEWHERE, Span(match.start(), match.start("kind")))
    controls = _CONTROLS.match(text, statement.start, statement.end)
    if controls is not None:
        yield Scope(statement.start, statement.end, Status.ELSEWHERE, Span(controls.end() - 1, controls.end()))


def _find_queries(text: str) -> Iterator[Scope]:
    """Question marks before what is asked: "Clinical: ?carcinoma", "? lymphoma"."""
    for match in _QUERY.finditer(text):
        line_end = text.find("\n", match.end())
        limit = min(line_end if line_end >= 0 else len(text), match.end() + _NEAREST_QUERIED)
        if match_answer(text, match.end(), limit) is None:
            end = load_reach().soft.search(text, match.end(), limit)
            mark = match.end() - 1
            yield Scope(match.end(), end.start() if end else limit, Status.UNCERTAIN, Span(mark, mark + 1))


def _is_answered(place: Span, answered: Sequence[Span]) -> bool:
    return any(place.overlaps(value) for value in answered)


def _scan_clause(text: str, clause: Span, cues: list[Cue]) -> Iterator[Scope]:
    opening = [cue.place.start for cue in cues if cue.side == "before"]
    last_end = clause.start
    for cue in cues:
        if _LAST_NO.match(text, cue.place.start) and _YES.search(text, max(0, cue.place.start - 20), cue.place.start):
            continue
        following = bisect_right(opening, cue.place.start)
        limit = min(opening[following] if following < len(opening) else clause.end, cue.place.end + _FARTHEST)
        before = Span(max(last_end, cue.place.start - _FARTHEST), cue.place.start)
        yield from _reach_cue(text, clause, cue, before, limit)
        if cue.side != "idle":
            last_end = cue.place.end


def _reach_cue(text: str, clause: Span, cue: Cue, before: Span, limit: int) -> Iterator[Scope]:
    start, end, status = cue.place.start, cue.place.end, cue.status
    stands_last = _NOTHING.match(text, end, clause.end) is not None
    closes = cue.side == "last" and _CLOSED.match(text, end, clause.end) is not None
    is_forward = cue.side in {"before", "between"} or (cue.side == "turn" and not stands_last)
    is_forward = is_forward or (cue.side == "last" and not closes)
    if (
        cue.side in {"after", "turn"}
        and not text[before.start : start].strip(" -*\u2022\u00b7")
        and _INVERTED.match(text, end)
    ):
        is_forward = True
    if cue.side == "about":
        patient = _PATIENT.search(text, end, clause.end)
        yield Scope(clause.start, patient.start() if patient else clause.end, status, cue.place)
    if is_forward:
        yield _reach_forward(text, end, _find_opening_end(text, clause, cue, limit), cue)
    if cue.side == "none":
        yield from _reach_counted(text, clause, cue.place)
    if status == Status.NEGATED and _PRESENT_ELSEWHERE.match(text, end):
        return
    if closes or cue.side in {"after", "between"} or (cue.side in {"turn", "site"} and stands_last):
        if status == Status.HISTORICAL:  # "Sarcoma, previously resected"
            start = max(before.start, len(text[:start].rstrip(", (")))
        first = find_backward_start(text, before.start, start)
        agent = _AGENT.search(text, first, start) if cue.side in {"after", "site"} else None
        start = agent.start() if agent and text[first : agent.start()].strip() else start
        if status != Status.UNSTATED or stands_last:
            spares: frozenset[Spared] = frozenset()
            if cue.side == "site":
                stain = _STAIN.search(text, first, start) or _BARE_STAIN.search(text, first, start)
                first = stain.end(1) if stain else first
                spares = _SITES_AND_DIAGNOSES if _is_given(text, first, start) else _SITES
            yield Scope(first, start, status, cue.place, spares)


def _find_opening_end(text: str, clause: Span, cue: Cue, limit: int) -> int:
    """The comma behind a denial that opens a sentence ("Given the lack of atypia, ..."), else the limit."""
    if cue.status != Status.NEGATED or not load_reach().opening.fullmatch(text, clause.start, cue.place.start):
        return limit
    comma = text.find(",", cue.place.end, limit)
    return comma if comma >= 0 and not _GOES_ON.match(text, comma) else limit


def _reach_forward(text: str, start: int, limit: int, cue: Cue) -> Scope:
    colon = _COLON.match(text, start, limit)
    if colon is not None and (cue.status == Status.NEGATED or "\n" not in colon.group()):
        start = colon.end()
    return Scope(start, find_forward_end(text, start, limit, cue.status), cue.status, cue.place)


def _reach_counted(text: str, clause: Span, count: Span) -> Iterator[Scope]:
    """None of a counted number: what it is linked to behind it, or what is in none of it before it."""
    reach = load_reach()
    among = reach.among.search(text, max(clause.start, count.start - 40), count.start)
    if among is not None and text[clause.start : among.start()].strip():
        start = find_backward_start(text, max(clause.start, count.start - _FARTHEST), among.start())
        yield Scope(start, among.start(), Status.NEGATED, count, _SITES_AND_BENIGN)
        return
    link = reach.link.search(text, count.end, min(clause.end, count.end + 120))
    if link is not None:
        end = find_forward_end(text, link.end(), min(clause.end, link.end() + _FARTHEST), Status.NEGATED)
        yield Scope(link.end(), end, Status.NEGATED, count, spares=_SITES)
    elif text[: count.start].rstrip(" (").endswith(":") or _CLOSED.match(text, count.end, clause.end):
        yield from _reach_phrase(text, clause, count, _SITES_AND_BENIGN)


def _scan_numbers(text: str, clause: Span, answered: Sequence[Span]) -> Iterator[Scope]:
    """Counts, percentages and signs: "0/12 nodes with", "necrosis 0 %", "LVI (-)"."""
    for match in _COUNT.finditer(text, clause.start, clause.end):
        count = Span(*match.span())
        scopes = [] if _is_answered(count, answered) else list(_reach_counted(text, clause, count))
        yield from scopes or _reach_phrase(text, clause, count, _SITES_AND_BENIGN)
    for match in _DATED.finditer(text, clause.start, clause.end):
        start = max(clause.start, match.start() - _FARTHEST)
        end = len(text[: match.start()].rstrip(", (")) if match.start() - start < _FARTHEST else match.start()
        start = find_backward_start(text, start, max(start, end))
        yield Scope(start, match.start(), Status.HISTORICAL, Span(*match.span()))
    for match in _FREE.finditer(text, clause.start, clause.end):
        yield Scope(match.start(), match.start("free"), Status.NEGATED, Span(*match.span("free")), spares=_SITES)
    for match in _CODE.finditer(text, clause.start, clause.end):
        yield Scope(match.start("name"), match.end("name"), Status.NEGATED, Span(*match.span("code")), spares=_SITES)
    for match in _NON.finditer(text, clause.start, clause.end):
        yield Scope(match.start() + 4, match.end(), Status.NEGATED, Span(match.start(), match.start() + 3))
    for pattern in (_PERCENT, _SIGN):
        for match in pattern.finditer(text, clause.start, clause.end):
            if pattern is _SIGN and not text[clause.start : match.start()].strip(" -*\u2022"):
                end = _find_sign_end(text, match.end(), clause.end)
                yield Scope(match.end(), end, Status.NEGATED, Span(*match.span()), _SITES)
                continue
            yield from _reach_phrase(text, clause, Span(*match.span()))
            if pattern is _PERCENT and not _OF.match(text, match.end()):
                end = find_forward_end(text, match.end(), min(clause.end, match.end() + 60), Status.UNCERTAIN)
                yield Scope(match.end(), end, Status.NEGATED, Span(*match.span()), spares=_SITES)


def _reach_phrase(text: str, clause: Span, sign: Span, spares: frozenset[Spared] = _SITES) -> Iterator[Scope]:
    """Back to where the phrase begins that a sign or count closes."""
    start = max(clause.start, sign.start - 80)
    before = text[start : sign.start].rstrip("( :=-")
    end = start + len(before)
    ends = [match.end() for match in _PHRASE_END.finditer(text, start, end)]
    ends += [match.end() for match in load_reach().backward.finditer(text, start, end)]
    start = max([start, *ends])
    yield Scope(start, end, Status.NEGATED, sign, spares)


def _find_sign_end(text: str, start: int, end: int) -> int:
    """What a sign before it reaches: up to a comma or the next bracket ("(-) necrosis (+) calcification")."""
    match = _PHRASE_END.search(text, start, end)
    return match.start() if match else end


def _is_given(text: str, start: int, end: int) -> bool:
    """Whether a subject is one that is there: "the tumor", "tumor cells"."""
    subject = text[start:end]
    return load_reach().definite.match(subject.lstrip()) is not None or subject.rstrip().endswith("cells")
