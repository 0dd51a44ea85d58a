"""What users read of a search's warnings."""

from __future__ import annotations

import pytest

from histoseek.search.calibration.apply import NOT_CALIBRATED, OLDER_CALIBRATION, OTHER_WEIGHTS, WITHOUT_LABELS
from histoseek.search.retrieve.image import PLAIN_FOR_STRANGERS
from histoseek.server.http.notes import to_notes


@pytest.mark.parametrize("warning", [NOT_CALIBRATED, OLDER_CALIBRATION, OTHER_WEIGHTS, WITHOUT_LABELS])
def test_what_only_a_command_mends_is_not_told(warning: str) -> None:
    assert to_notes([warning]) == ()


@pytest.mark.parametrize(
    "warning",
    [
        PLAIN_FOR_STRANGERS,
        "the query's patient is not known: other slides of the same patient may be among the results",
        "the query is too small for 2 µm/px: it is compared at 0.5 µm/px alone",
        "the archive is not aligned: these are the reports of the most similar slides",
        "the archive is not aligned: its 3 slides without a report are found by their metadata and names only",
        "the archive has no text encoder: reports are searched by their words only",
        "only 3 slides fit the query and the filter",
        "only 0 slides fit the query and the filter beyond the first 20",
        "the meaning of only the first 8,192 characters was compared",
    ],
)
def test_notes_are_sentences_without_commands(warning: str) -> None:
    [note] = to_notes([warning, warning])
    assert note[0].isupper() and note.endswith(".")
    assert not any(word in note for word in ("null", "--", "`", "aligned", "encoder", "query and the filter", "µm/px"))


def test_counts_stay() -> None:
    assert to_notes(["only 3 slides fit the query and the filter"]) == ("Only 3 slides are left to choose from.",)
