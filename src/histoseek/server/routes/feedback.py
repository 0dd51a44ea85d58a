"""What users judged: kept beside the archive, never in it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from histoseek.rest.work import Judged, Judgement
from histoseek.server.http.dependencies import InContext, Reader, Served

router = APIRouter(prefix="/archives/{archive}/feedback", tags=["feedback"])


@router.post("")
def judge(context: InContext, identity: Reader, served: Served, judgement: Judgement) -> Judged | None:
    """Keep whether a slide was relevant for a query, without what its texts tell of persons; null takes that back.

    To have results ranked anew, search with `marks`.
    """
    served.record(judgement.slide_id)
    query, store = judgement.query.model_dump(mode="json"), context.feedback
    if judgement.relevant is None:
        store.take_back(served.name, query, judgement.slide_id, identity.name)
        return None
    kept = store.judge(served.name, query, judgement.slide_id, judgement.relevant, identity.name)
    return Judged.model_validate(kept)


@router.get("")
def list_judgements(
    context: InContext,
    identity: Reader,
    served: Served,
    query_key: Annotated[str, Query(min_length=1, max_length=64, description="From a search's answer.")],
) -> tuple[Judged, ...]:
    """What everybody judged on a query."""
    return tuple(Judged.model_validate(one) for one in context.feedback.of_query(served.name, query_key))
