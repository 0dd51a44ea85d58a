"""Judgements of users: kept beside the archive, never in it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from histoseek.geometry import Rect
from histoseek.rest.workspace import Judgement, StoredJudgement
from histoseek.server.http.dependencies import EntryInPath, InContext, Reader

router = APIRouter(prefix="/archives/{archive}/feedback", tags=["feedback"])


@router.post("")
def judge(context: InContext, caller: Reader, entry: EntryInPath, judgement: Judgement) -> StoredJudgement | None:
    """Store whether a slide is relevant for a query; identifiers are removed from its text. null withdraws a judgement.

    A region judges a part of the slide, beside what is said of all of it. To rerank results by judgements, search with
    `marks`: a slide with a judged region counts there as the slide does.
    """
    entry.get_record(judgement.slide_id)
    query, store = judgement.query.model_dump(mode="json"), context.feedback
    box = judgement.region
    region = Rect(box.x, box.y, box.width, box.height) if box else None
    if judgement.relevant is None:
        store.take_back(entry.name, query, judgement.slide_id, caller.name, region)
        return None
    judgement_kept = store.judge(entry.name, query, judgement.slide_id, judgement.relevant, caller.name, region)
    return StoredJudgement.model_validate(judgement_kept)


@router.get("")
def list_judgements(
    context: InContext,
    caller: Reader,
    entry: EntryInPath,
    query_key: Annotated[str, Query(min_length=1, max_length=64, description="From the response of a search.")],
) -> tuple[StoredJudgement, ...]:
    """All judgements on a query, of all users."""
    return tuple(
        StoredJudgement.model_validate(judgement)
        for judgement in context.feedback.list_for_query(entry.name, query_key)
    )
