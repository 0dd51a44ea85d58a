"""What all models of the REST API share."""

from __future__ import annotations

from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue

Item = TypeVar("Item")

SlideId = Annotated[str, Field(min_length=1, max_length=200, description="Id of a slide of the archive.")]
UploadId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$", description="Id of an uploaded slide.")]
ShortText = Annotated[str, Field(min_length=1, max_length=200)]


def make_example_config(*examples: dict[str, JsonValue]) -> ConfigDict:
    """The configuration of a model with examples, for the API's description."""
    return ConfigDict(json_schema_extra={"examples": list(examples)})


class Request(BaseModel):
    """A request body; unknown fields are rejected."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Response(BaseModel):
    """A response body; can be made from an object with the same attributes."""

    model_config = ConfigDict(from_attributes=True, frozen=True, populate_by_name=True)


class Page(Response, Generic[Item]):
    """One page of a longer list; next: the cursor of the next page (`after`), null at the end."""

    items: tuple[Item, ...]
    next: str | None = None


class Region(Response):
    """A rectangle on a slide in level-0 px; x, y is its top-left corner."""

    x: int
    y: int
    width: int
    height: int


class Problem(Response):
    """An error as defined by RFC 9457: type names its kind, detail says what is wrong and what to do."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str
