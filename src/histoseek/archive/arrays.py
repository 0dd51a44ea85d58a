"""An archive's slides as arrays and tables, for those who compute with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import DTypeLike, NDArray

from histoseek.archive.filters.expression import Column, IsNull, Not, Where
from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.schema import require_slide_id, require_slide_ids
from histoseek.archive.stores.base import VectorColumn
from histoseek.archive.stores.slides import SlideTable
from histoseek.equality import EqualByContent
from histoseek.errors import InputError, MissingExtra, UnknownSlide

if TYPE_CHECKING:
    import anndata
    import pandas

VectorKind = Literal["slide", "report", "shared slide", "shared report"]

_COLUMNS: dict[str, VectorColumn] = {
    "slide": "global_vector",
    "report": "report_vector",
    "shared slide": "shared_vector",
    "shared report": "shared_report_vector",
}


@dataclass(frozen=True, slots=True, eq=False)
class SlideVectors(EqualByContent):
    """A vector for each of n slides: float32 [n, D], of length one, in the order of slide_ids."""

    slide_ids: tuple[str, ...]
    vectors: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.slide_ids)

    def __iter__(self) -> Iterator[tuple[str, NDArray[np.float32]]]:
        return zip(self.slide_ids, self.vectors, strict=True)

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        """The vectors alone, as numpy and what computes with it take them."""
        return np.array(self.vectors, dtype, copy=copy)

    def __getitem__(self, slide_id: str) -> NDArray[np.float32]:
        return self.vectors[_find_place(self.slide_ids, slide_id)]


@dataclass(frozen=True, slots=True, eq=False)
class SlideMosaics(EqualByContent):
    """The mosaics of n slides, one after the other, in the order of slide_ids.

    vectors: float16 [N, D], as the archive keeps them; shares: float32 [N], the weights of the vectors on their slide;
    offsets: int64 [n + 1], the vectors of slide i are those from offsets[i] to offsets[i + 1].
    """

    slide_ids: tuple[str, ...]
    vectors: NDArray[np.float16]
    shares: NDArray[np.float32]
    offsets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.slide_ids)

    def __iter__(self) -> Iterator[tuple[str, NDArray[np.float16]]]:
        return zip(self.slide_ids, np.split(self.vectors, self.offsets[1:-1]) if len(self) else [], strict=True)

    def __getitem__(self, slide_id: str) -> NDArray[np.float16]:
        place = _find_place(self.slide_ids, slide_id)
        return self.vectors[self.offsets[place] : self.offsets[place + 1]]


def read_vectors(
    archive: ArchiveFolder, slide_ids: Sequence[str] | None, where: Where, kind: VectorKind
) -> SlideVectors:
    """The vectors of a kind, of slides in the order asked, or of those of a filter by id; without those that have none.

    Raises UnknownSlide, BadFilter, and InputError for a kind that the archive does not have.
    """
    column = _choose_column(kind)
    if archive.space is None:
        return SlideVectors(_require_none(slide_ids), np.zeros((0, 0), np.float32))
    store = archive.store
    dimension = store.find_dimension(column)
    if dimension is None:
        raise InputError(f"vectors of kind {kind!r}", "the archive has none", "Index reports, or align the archive")
    ids = _choose_slides(store, slide_ids, where)
    if column != "global_vector":
        having = {*store.slides(Not(IsNull(Column(column))))}
        ids = [slide_id for slide_id in ids if slide_id in having]
    vectors = store.vectors(ids, column) if ids else np.zeros((0, dimension), np.float32)
    return SlideVectors(tuple(ids), _make_writable(vectors))


def read_mosaics(archive: ArchiveFolder, slide_ids: Sequence[str] | None, where: Where) -> SlideMosaics:
    """The mosaics of slides in the order asked, or of those of a filter by id; raises UnknownSlide, BadFilter."""
    if archive.space is None:
        none = np.zeros((0, 0), np.float16), np.zeros(0, np.float32), np.zeros(1, np.int64)
        return SlideMosaics(_require_none(slide_ids), *none)
    ids = _choose_slides(archive.store, slide_ids, where)
    vectors, shares, offsets = archive.store.shared_mosaics(ids)
    return SlideMosaics(tuple(ids), _make_writable(vectors), _make_writable(shares), offsets)


def make_frame(archive: ArchiveFolder, where: Where) -> pandas.DataFrame:
    """The metadata of the slides of a filter, by slide id; raises MissingExtra, BadFilter."""
    pandas = _import("pandas")
    if archive.space is None:
        return pandas.DataFrame({"slide_id": pandas.array([], "string")}).set_index("slide_id")
    store = archive.store
    rows = store.columns(list(store.metadata_types()), where).sort_by("slide_id")
    types = {pa.string(): pandas.StringDtype(), pa.int64(): pandas.Int64Dtype(), pa.bool_(): pandas.BooleanDtype()}
    dates = {column.name: column.type for column in rows.schema if pa.types.is_date(column.type)}
    for name in dates:
        rows = rows.set_column(rows.column_names.index(name), name, rows[name].cast(pa.timestamp("s")))
    return rows.to_pandas(types_mapper=types.get).set_index("slide_id")


def make_anndata(archive: ArchiveFolder, where: Where, kind: VectorKind) -> anndata.AnnData:
    """Slides as observations: vectors in X, metadata in obs, in types that h5ad files hold; raises MissingExtra."""
    pandas, anndata = _import("pandas"), _import("anndata")
    vectors = read_vectors(archive, None, where, kind)
    frame = make_frame(archive, where).loc[list(vectors.slide_ids)]
    observed = pandas.DataFrame({name: _make_plain(pandas, frame[name]) for name in frame.columns})
    # As objects, since h5ad files do not hold the texts of newer versions of pandas.
    observed.index = pandas.Index(list(vectors.slide_ids), dtype=object, name="slide_id")
    numbers = pandas.Index([str(place) for place in range(vectors.vectors.shape[1])], dtype=object)
    space = asdict(archive.space) if archive.space else {}
    return anndata.AnnData(
        X=vectors.vectors,
        obs=observed,
        var=pandas.DataFrame(index=numbers),
        uns={"histoseek": {"vectors": kind, "space": space}},
    )


def _make_plain(pandas: Any, column: Any) -> Any:
    """A column as h5ad files hold it: texts and times as categories, and what has no gap without a sign for them."""
    kind = column.dtype
    if isinstance(kind, pandas.StringDtype):
        return _make_categories(pandas, column.to_numpy(object, na_value=None))
    if kind.kind == "M":
        return _make_categories(pandas, [None if pandas.isna(time) else time.isoformat() for time in column])
    if column.isna().any() or not pandas.api.types.is_extension_array_dtype(kind):
        return column.array
    return column.to_numpy(kind.numpy_dtype)


def _make_categories(pandas: Any, texts: Sequence[str | None]) -> Any:
    # HDF5 ends a text at a NUL, and refuses it.
    plain = [None if text is None else text.replace("\0", "\N{REPLACEMENT CHARACTER}") for text in texts]
    names = pandas.Index(sorted({text for text in plain if text is not None}), dtype=object)
    return pandas.Categorical(plain, categories=names)


def _import(package: str) -> Any:
    try:
        return import_module(package)
    except ImportError as error:
        raise MissingExtra(package, "tables") from error


def _make_writable(array: NDArray[Any]) -> NDArray[Any]:
    """The user's own: numbers of the engine can't be changed in place, which torch warns of."""
    return np.require(array, requirements="W")


def _choose_column(kind: str) -> VectorColumn:
    if not isinstance(kind, str) or kind not in _COLUMNS:
        raise InputError(f"vectors of kind {kind!r}", "there is no such kind", f"Choose from: {', '.join(_COLUMNS)}")
    return _COLUMNS[kind]


def _choose_slides(store: SlideTable, slide_ids: Sequence[str] | None, where: Where) -> list[str]:
    if slide_ids is None:
        return list(store.slides(where))
    if where is not None:
        raise InputError("slides", "are given both by their ids and by a filter", "Give one of the two")
    return list(require_slide_ids(slide_ids))


def _require_none(slide_ids: Sequence[str] | None) -> tuple[str, ...]:
    for slide_id in require_slide_ids(slide_ids if slide_ids is not None else ()):
        raise UnknownSlide(slide_id)
    return ()


def _find_place(slide_ids: tuple[str, ...], slide_id: str) -> int:
    require_slide_id(slide_id)
    if slide_id not in slide_ids:
        raise UnknownSlide(slide_id)
    return slide_ids.index(slide_id)
