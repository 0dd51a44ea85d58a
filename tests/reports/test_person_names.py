"""Names of persons where ids of patients are expected."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from histoseek.reports.privacy.person_names import is_person_name, make_pseudonym


@pytest.mark.parametrize(
    "value",
    [
        *("Anna Schmidt", "anna schmidt", "Schmidt, Anna", "Schmidt,Anna", "SCHMIDT^ANNA^M", "Schmidt", "schmidt_anna"),
        *("Zumwalt A.", "Müller-Lüdenscheid, Jörg", "O\u2019Brien, T.", "De la Cruz, María", "Patient Schmidt"),
        *("Brzezicki Zumwalt", "Schmidt, Anna 1950", "Иванов Иван", "王小明", "अनीता शर्मा"),
    ],
)
def test_names_are_told_from_ids(value: str) -> None:
    assert is_person_name(value)
    pseudonym = make_pseudonym(value)
    assert pseudonym.startswith("patient-")
    assert len(pseudonym) == len("patient-") + 12
    assert not is_person_name(pseudonym)
    assert make_pseudonym(pseudonym) == pseudonym


@pytest.mark.parametrize(
    "value",
    [
        *("P-A", "case_alpha", "TCGA-AA-ABCD", "TCGA-05-4244", "Patient A", "healthy donor", "Case A", "P A", "A"),
        *("0012345", "Anna7", "AB-12 C", "alpha", "K-VII", "not known", "unknown", "Case, A1", "Lung, left", "", "N/A"),
    ],
)
def test_ids_stay_ids(value: str) -> None:
    assert not is_person_name(value)
    assert make_pseudonym(value) == value


def test_a_person_has_one_pseudonym_however_the_name_is_written() -> None:
    written = ("Anna Müller", "Müller, Anna", "MÜLLER^ANNA", "  anna  müller ", "Mu\u0308ller,Anna")
    assert len({make_pseudonym(one) for one in written}) == 1
    assert make_pseudonym("Müller Anna") != make_pseudonym("Anna Müller")
    assert make_pseudonym("Anna Mueller") != make_pseudonym("Anna Müller")


@given(st.text(max_size=200))
def test_any_value_has_one_token_and_no_more(value: str) -> None:
    once = make_pseudonym(value)
    assert make_pseudonym(once) == once
    assert (once != value) == is_person_name(value)


@given(st.from_regex(r"[A-Za-z]{0,4}[-_ ]?[0-9]{1,9}[-_ A-Za-z0-9]{0,8}", fullmatch=True))
def test_what_has_digits_is_an_id(value: str) -> None:
    assert make_pseudonym(value) == value
