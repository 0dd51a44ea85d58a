"""Requests to one server: sent, and their answers read as models."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

import httpx2
from pydantic import BaseModel, TypeAdapter, ValidationError

from histoseek.client.errors import NoServer, ServerProblem
from histoseek.rest.base import Page, Problem, Response

API = "/api/v1"
_TIMEOUT_S = 120.0

Model = TypeVar("Model", bound=BaseModel)
Item = TypeVar("Item", bound=Response)


class Connection:
    """Asks one server; safe to use from several threads."""

    def __init__(self, url: str, token: str | None = None, timeout_s: float = _TIMEOUT_S) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx2.Client(base_url=url, headers=headers, timeout=timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def _get(self, model: type[Model], path: str, **parameters: Any) -> Model:
        return parse(model, self._request("GET", path, **parameters))

    def _get_all(self, model: type[Model], path: str, **parameters: Any) -> tuple[Model, ...]:
        return TypeAdapter(tuple[model, ...]).validate_json(self._request("GET", path, **parameters).content)  # type: ignore[valid-type]

    def _walk_pages(self, model: type[Page[Item]], path: str, **parameters: Any) -> Iterator[Item]:
        """What a list has, fetched page by page."""
        after: str | None = None
        while True:
            page = self._get(model, path, after=after, **parameters)
            yield from page.items
            after = page.next
            if after is None:
                return

    def _send(self, model: type[Model], method: str, path: str, request: BaseModel) -> Model:
        return parse(model, self._request(method, path, content=request.model_dump_json()))

    def _request(self, method: str, path: str, content: Any = None, **parameters: Any) -> httpx2.Response:
        present_parameters = {name: value for name, value in parameters.items() if value is not None}
        kind = "application/json" if isinstance(content, str) else "application/octet-stream"
        headers = {"Content-Type": kind} if content is not None else {}
        try:
            response = self._http.request(
                method, f"{API}{path}", params=present_parameters, content=content, headers=headers
            )
        except httpx2.TransportError as error:
            what = f"does not respond ({type(error).__name__})"
            raise NoServer(
                str(self._http.base_url), what, "Check the address, and that `histoseek serve` is running"
            ) from error
        if response.is_error:
            raise make_problem(response)
        return response


def make_slide_path(archive: str, slide_id: str) -> str:
    """The path of a slide below the API."""
    return f"{make_archive_path(archive)}/slides/{quote(slide_id, safe='')}"


def make_archive_path(name: str) -> str:
    """The path of an archive."""
    return f"/archives/{quote(name, safe='')}"


def parse(model: type[Model], response: httpx2.Response) -> Model:
    """An answer as a model; raises NoServer for one that is none."""
    try:
        return model.model_validate_json(response.content)
    except ValidationError as error:
        raise NoServer(
            str(response.url),
            "sent a response that this client does not understand",
            "Use a client of the server's version",
        ) from error


def make_problem(response: httpx2.Response) -> ServerProblem | NoServer:
    """The error that a response is."""
    try:
        return ServerProblem(Problem.model_validate(json.loads(response.content)))
    except (ValueError, ValidationError):
        return NoServer(
            str(response.url),
            f"responded with status {response.status_code}",
            "Check that the address is that of a histoseek server",
        )
