"""What the routes do not say of themselves in the OpenAPI description: who may ask, and how errors come."""

from __future__ import annotations

from typing import Any

from histoseek.server.problems import MEDIA_TYPE

_ANYBODY = ("/api/v1/health", "/api/v1/ready")
_SCHEMES = {
    "token": {"type": "http", "scheme": "bearer", "description": "A token of `histoseek tokens add`."},
    "session": {"type": "apiKey", "in": "cookie", "name": "histoseek-8750", "description": "Begun with POST /session."},
}
_WITH_SESSION: list[dict[str, list[str]]] = [{"token": []}, {"session": []}]


def completed(description: dict[str, Any]) -> dict[str, Any]:
    """The description with security schemes, and errors under the media type that they have."""
    description["components"]["securitySchemes"] = _SCHEMES
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            if path not in _ANYBODY and (path, method) != ("/api/v1/session", "post"):
                operation["security"] = _WITH_SESSION
            for status, answer in operation["responses"].items():
                if status >= "400" and "content" in answer:
                    (problem,) = answer["content"].values()
                    answer["content"] = {MEDIA_TYPE: problem}
    return description
