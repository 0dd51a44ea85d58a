"""Conditions that the engine checks by reading a long column of every row, put as ids of rows.

A search asks for its condition several times, of one version of the table: ids are looked up once, and then by index.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from histoseek.archive.filters.expression import (
    NO_REPORT,
    And,
    Call,
    Column,
    Expression,
    HasAny,
    HasPhrase,
    In,
    IsTrue,
    Like,
    Literal,
    Not,
    Or,
    all_of,
    any_of,
    one_of,
    walk,
)
from histoseek.archive.stores.lance.indexes import TOKENS

MOST_IDS = 100_000
"""More take the engine longer than reading the column."""

_MANY_IDS = 10_000
"""More are looked up once with the whole condition, if that leaves fewer."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """Puts conditions as ids, where there are at most MOST_IDS of them.

    with_any_token: the ids of the rows with any of some tokens; satisfying: of those that satisfy a condition; each
    may end with one more than MOST_IDS.
    """

    with_any_token: Callable[[Sequence[str]], list[str]]
    satisfying: Callable[[Expression], list[str]]

    def simplify(self, where: Expression) -> Expression:
        """The same condition, for rows with ids, as quick to check as may be."""
        simpler = self._simplify(where)
        size = sum(len(one.values) for one in walk(simpler) if isinstance(one, In))
        reads = any(isinstance(one, Call | HasPhrase | Like) or _denies_facts(one) for one in walk(simpler))
        if size <= _MANY_IDS and not reads:
            return simpler
        ids = self.satisfying(simpler)
        return (_among(ids) if reads or len(ids) < size else None) or simpler

    def _simplify(self, where: Expression) -> Expression:
        """With ids in the place of tokens, of facts that are not to be there, and of missing reports.

        Only where a condition that is unknown is as good as one that is false.
        """
        tokens = _list_tokens(where)
        if tokens or where == NO_REPORT:
            return _among(self.with_any_token(tokens) if tokens else self.satisfying(where)) or where
        match where:
            case And(conditions):
                where = all_of(*map(self._simplify, conditions)) or where
            case Or(conditions):
                where = any_of(*map(self._simplify, conditions)) or where
            case Not(IsTrue(condition)):
                simpler = self._simplify(condition)
                ids = self.satisfying(simpler) if isinstance(simpler, HasAny) else None
                where = Not(IsTrue(one_of("slide_id", ids) if ids and len(ids) <= _MANY_IDS else simpler))
            case Not(condition) if condition == NO_REPORT:
                where = Not(self._simplify(condition))
        return where


def _among(ids: Sequence[str]) -> Expression | None:
    """A row is one of these; None for too many."""
    return one_of("slide_id", ids) if len(ids) <= MOST_IDS else None


def _denies_facts(where: Expression) -> bool:
    """Whether a condition asks for what lists do not have, which their index does not know."""
    return isinstance(where, Not) and any(isinstance(one, HasAny) for one in walk(where))


def _list_tokens(where: Expression) -> list[str]:
    """The tokens any of which a condition asks for, none where it is another condition."""
    match where:
        case Call("contains", (Column(name), Literal(str(text)))) if name == TOKENS and text == f" {text.strip()} ":
            return [text.strip()] if len(text.split()) == 1 else []
        case Or(conditions):
            parts = [_list_tokens(condition) for condition in conditions]
            return [token for part in parts for token in part] if all(parts) else []
    return []
