"""The built page: static files of the package, served as they are."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse, HTMLResponse
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from histoseek.unicode import is_text

STATIC = Path(__file__).parent / "static"
_IMMUTABLE = "public, max-age=31536000, immutable"
_SUFFIXES = {"br": ".br", "gzip": ".gz"}
"""Of compressed files, by their codings, the smallest first."""

_LONGEST_PATH = 200
"""Of a file of the page; file systems refuse to look for longer ones."""

_NOT_BUILT = (
    "<!doctype html><html lang=en><title>histoseek</title><h1>The page is not built</h1>"
    "<p>This is a checkout of the sources. Build the page with <code>make page</code>; the REST API needs none.</p>"
)


class _Assets(StaticFiles):
    """Files whose names change with their content, as the build has compressed them where a browser takes that."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        if not is_text(path) or "\0" in path or len(path) > _LONGEST_PATH:
            raise HTTPException(404)
        coding = self._choose_coding(path, Headers(scope=scope).get("accept-encoding", ""))
        response = await super().get_response(path + _SUFFIXES.get(coding, ""), scope)
        response.headers.add_vary_header("Accept-Encoding")
        if coding:
            response.headers["Content-Encoding"] = coding
        if response.status_code == 200:
            response.headers["Cache-Control"] = _IMMUTABLE
        return response

    def _choose_coding(self, path: str, accepted: str) -> str:
        """The best coding that a browser takes and the build made of a file; "" for the file as it is."""
        parts = (part.partition(";") for part in accepted.replace(" ", "").lower().split(","))
        taken = {name for name, _, quality in parts if quality not in ("q=0", "q=0.0", "q=0.00", "q=0.000")}
        there = (coding for coding in _SUFFIXES if coding in taken)
        return next((coding for coding in there if self.lookup_path(path + _SUFFIXES[coding])[1] is not None), "")


def add_page(app: FastAPI) -> None:
    """Serve the page at / and its files; its views are parts of the address behind `?` and `#`."""
    app.add_api_route("/", _get_index, include_in_schema=False)
    if (STATIC / "assets").is_dir():
        app.mount("/assets", _Assets(directory=STATIC / "assets"), name="assets")
    for file in STATIC.glob("*.*") if STATIC.is_dir() else ():
        if file.name != "index.html":
            app.add_api_route(f"/{file.name}", lambda file=file: FileResponse(file), include_in_schema=False)


def is_built() -> bool:
    """Whether there is a page: always in a wheel, after `make page` in a checkout."""
    return (STATIC / "index.html").is_file()


def _get_index() -> Response:
    if not is_built():
        return HTMLResponse(_NOT_BUILT, 503)
    return FileResponse(STATIC / "index.html", headers={"Cache-Control": "no-cache"})
