"""Made sentences of every kind of denial and doubt, with their near misses."""

from __future__ import annotations

import pytest

from tests.reports.statements import Statement, is_right, read_signs, read_statements


@pytest.mark.parametrize("statement", read_statements(), ids=lambda statement: f"{statement.kind}: {statement.text}")
def test_what_a_statement_says_of_what_it_names(statement: Statement) -> None:
    signs = read_signs(statement)
    assert is_right(statement, signs), signs
