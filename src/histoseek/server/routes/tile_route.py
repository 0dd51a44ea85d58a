"""The way that requests for tiles take: most of all requests, with next to nothing to do for each.

FastAPI looks through all routes, reads parameters one by one and takes threads in turn for what they depend on, which
costs several times as much as handing a tile on. The route that describes tiles (`slides.get_tile`) answers whatever is
not plainly a tile of an archive's slide, such as numbers that are none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from fastapi import Request, Response
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send

from histoseek.server.context import Context
from histoseek.server.http.dependencies import find_caller
from histoseek.server.routes.image_responses import respond_with_picture
from histoseek.server.security.limits import RequestKind

_PATH = "/archives/{archive}/slides/{slide_id:path}/image_files/{level}/{column}_{row}.jpg"
_PLAIN = re.compile(
    r"/archives/(?P<archive>[^/]{1,100})/slides/(?P<slide_id>[^\n]{1,200})"
    r"/image_files/(?P<level>[0-3]?[0-9])/(?P<column>[0-9]{1,7})_(?P<row>[0-9]{1,7})\.jpg"
)


class TileRoute(BaseRoute):
    """Answers requests for tiles as `slides.get_tile` does. To stand before all other routes of an application."""

    def __init__(self, prefix: str) -> None:
        """prefix: of the API."""
        self.path = prefix + _PATH
        self._prefix = prefix

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether a request is for a tile, and of what."""
        path: str = scope["path"]
        if scope["type"] != "http" or scope["method"] != "GET" or not path.endswith(".jpg"):
            return Match.NONE, {}
        if scope["query_string"]:
            # Of one stain, or a mistake.
            return Match.NONE, {}
        match = _PLAIN.fullmatch(path.removeprefix(self._prefix))
        if match is None or not path.startswith(self._prefix):
            return Match.NONE, {}
        return Match.FULL, {"path_params": match.groupdict(), "route": self}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one; raises as the route in its place would."""
        request = Request(scope, receive)
        context: Context = scope["app"].state.context
        await find_caller(context, request, RequestKind.TILES)
        place = scope["path_params"]
        response = await context.tile_queue.run(lambda: _make_response(context, request, place))
        await response(scope, receive, send)


class RememberedTiles:
    """Answers requests for tiles that are in memory, from callers that are, before the application sees them.

    Its layers, such as the one that compresses, have nothing to do for pictures. To stand right behind Guard; whatever
    is not remembered takes the application's way.
    """

    def __init__(self, app: ASGIApp, route: TileRoute) -> None:
        self._app = app
        self._route = route

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        response = self._recall(scope) if scope["type"] == "http" else None
        await (response or self._app)(scope, receive, send)

    def _recall(self, scope: Scope) -> Response | None:
        """The answer where all of it is in memory: taking a thread costs more than giving it."""
        match, found = self._route.matches(scope)
        if match is Match.NONE:
            return None
        context: Context = scope["app"].state.context
        context.tiles_first.count_tile()
        place = found["path_params"]
        image = context.images.recall(place["archive"], place["slide_id"])
        tile = context.tiles.recall_tile(image.source, *_parse(place)) if image else None
        if tile is None:
            return None
        scope.update(found)  # what is refused is noted by it, too
        request, (tag, picture) = Request(scope), tile
        caller = context.recall(request, RequestKind.TILES)
        return respond_with_picture(request, tag, lambda: picture) if caller else None


def _make_response(context: Context, request: Request, place: Mapping[str, str]) -> Response:
    image, tiles = context.images.find(context.archives.get(place["archive"]), place["slide_id"]), context.tiles
    level, column, row = _parse(place)
    return respond_with_picture(
        request, tiles.compute_etag(image.source), lambda: context.make_tile(image.source, level, column, row)
    )


def _parse(place: Mapping[str, str]) -> tuple[int, int, int]:
    return int(place["level"]), int(place["column"]), int(place["row"])
