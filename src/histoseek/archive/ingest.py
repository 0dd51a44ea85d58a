"""The indexing run: encode what is new, keep what is unchanged, refuse what is broken, lose nothing."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice

from histoseek.archive.centring import CentreFit
from histoseek.archive.commits import Committer
from histoseek.archive.journal import Journal, Refusal
from histoseek.archive.layout import ArchiveLayout
from histoseek.archive.plan import IndexPlan, PlannedSlide
from histoseek.archive.records import record_of
from histoseek.archive.schema import StoredSlide
from histoseek.archive.signing import CENTRE_SLIDES, Signer
from histoseek.archive.sources import BagSource, Prepared, SourcedBag, cached_bag
from histoseek.encoders.bagging import PreparedSlide
from histoseek.errors import ArchiveError, EncoderError, SlideError, SpaceMismatch, UnreadableSlide
from histoseek.progress import Reporter

log = logging.getLogger(__name__)

_AHEAD = 2
"""Slides opened ahead of the one being encoded."""
