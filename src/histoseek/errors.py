"""Every error a user can meet.

Each class carries the facts as fields and says in one line: where, what is wrong, what to do.

    HistoseekError
    +-- InputError            an input: a file, a table, an id, a filter
    |   +-- SlideError        one slide can't be used (a batch goes on without it)
    +-- ArchiveError          the archive itself: busy, read-only, damaged, of another space
    +-- EncoderError          a model: unknown, missing package, wrong combination
    +-- ConfigurationError    settings that don't fit together
    +-- ClusterError          the workers that encode slides: none, unreachable, different
    +-- OutOfTime             work that was ended before it was done
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from histoseek.unicode import make_line


class HistoseekError(Exception):
    """Base of all errors shown to users in one line.

    `where` names the file, id or setting; `what` the fault; `advice` the next step.
    """

    exit_code = 2

    def __init__(self, where: str, what: str, advice: str = "") -> None:
        self.where = make_line(where)
        self.what = make_line(what)
        self.advice = make_line(advice)
        super().__init__(str(self))

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}"
        return f"{text}. {self.advice}" if self.advice else text

    def __reduce__(self) -> tuple[Any, ...]:
        """Errors go from process to process whatever their classes are made from."""
        return _restore, (type(self), self.args, self.__dict__)

    @property
    def kind(self) -> str:
        """The class name, used as `error` in machine-readable output."""
        return type(self).__name__


def _restore(kind: type[HistoseekError], arguments: tuple[Any, ...], facts: dict[str, Any]) -> HistoseekError:
    error = kind.__new__(kind, *arguments)
    error.__dict__.update(facts)
    return error


class InputError(HistoseekError):
    """An input of the user cannot be used."""


class ArchiveError(HistoseekError):
    """The archive cannot do this."""


class EncoderError(HistoseekError):
    """A model cannot be used."""


class ConfigurationError(HistoseekError):
    """Settings that do not fit together."""


class SandboxIncomplete(ConfigurationError):
    """A server is to serve only where uploads are wholly confined, and this machine can't; kinds: what is open."""

    def __init__(self, kinds: tuple[str, ...]) -> None:
        self.kinds = kinds
        what = f"a process that opens uploads can't be kept from: {', '.join(kinds)}"
        advice = "Use Linux 5.13 or later with Landlock and seccomp, or leave the option out"
        super().__init__("--require-sandbox", what, advice)


class OutOfTime(HistoseekError):
    """Work that was ended before it was done: its time was over, or nobody waited for it any more."""


class SlideError(InputError):
    """One slide cannot be used; a batch goes on without it."""

    def __init__(self, uri: Path | str, what: str, advice: str = "") -> None:
        self.uri = str(uri)
        super().__init__(self.uri, what, advice)


class UnknownScheme(SlideError):
    """An address begins with a scheme that slides can't be opened from."""

    def __init__(self, uri: str, scheme: str, known: Sequence[str]) -> None:
        self.scheme = scheme
        self.known = tuple(known)
        what = f"slides cannot be opened from {scheme}:// addresses"
        super().__init__(uri, what, f"Give a path, or an address that begins with {' or '.join(known)}://")


class SlideNotFound(SlideError):
    """The file or folder does not exist."""

    def __init__(self, uri: Path | str) -> None:
        super().__init__(uri, "no such file or folder", "Check the path")


class NoSlidesFound(InputError):
    """A folder holds no file that looks like a slide."""

    def __init__(self, uri: Path | str, passed_over: str = "") -> None:
        """passed_over: what the folder holds instead."""
        self.uri = str(uri)
        what = "no slide files in this folder" + (f", passed over: {passed_over}" if passed_over else "")
        super().__init__(self.uri, what, "Give a folder with slides, or the files themselves")


class UnreadableSlide(SlideError):
    """The file is not a slide, or it is damaged."""

    def __init__(self, uri: Path | str, reason: str) -> None:
        self.reason = reason
        super().__init__(uri, f"cannot be read as a slide ({reason})", "Check the file, or export it again")


class TooLarge(InputError):
    """A file declares more than may be read of it."""

    def __init__(self, where: Path | str, declared: str, limit: str, setting: str = "") -> None:
        """setting: the environment variable that raises the limit, where there is one."""
        self.declared = declared
        self.limit = limit
        self.setting = setting
        raised = f"; if it is as it should be, raise the limit with {setting}" if setting else ""
        advice = f"Check how the file was made{raised}"
        super().__init__(str(where), f"too large to be read: {declared}, at most {limit} is allowed", advice)


class SlideTooLarge(TooLarge, SlideError):
    """A slide's or feature file declares more than may be read of it."""


class UnstorableSlide(SlideError):
    """An archive cannot hold what is known of a slide."""

    def __init__(self, uri: str, reason: str) -> None:
        self.reason = reason
        super().__init__(
            uri, f"cannot be stored ({reason})", "Correct what tables and reports say of it, or leave it out"
        )


class MissingSpacing(SlideError):
    """The file does not state its spacing; name: what `--spacing-of` may call it."""

    def __init__(
        self, uri: str, name: str, reason: str = "the file does not state how many µm a pixel measures"
    ) -> None:
        advice = f"Give it with --spacing-of '{name}=0.25', or in a metadata column 'spacing'"
        super().__init__(uri, f"no spacing: {reason}", advice)


class SpacingTooFine(SlideError):
    """Tiles are needed at a finer spacing than the slide was scanned at."""

    def __init__(self, uri: str, requested_um_per_px: float, finest_um_per_px: float) -> None:
        self.requested_um_per_px = requested_um_per_px
        self.finest_um_per_px = finest_um_per_px
        finest, requested = f"{finest_um_per_px:.4g} µm/px", f"{requested_um_per_px:.4g} µm/px"
        what = f"scanned at {finest}, which is coarser than the requested {requested}"
        super().__init__(uri, what, "Leave it out, or build an archive with a larger --spacing")


class NoTissue(SlideError):
    """There is no tissue at all on the slide or in a region of it."""

    def __init__(
        self,
        uri: Path | str,
        reason: str = "the mask is empty",
        advice: str = "See what `histoseek mask FILE` shows, or lower --tissue-threshold",
    ) -> None:
        self.reason = reason
        super().__init__(uri, f"no tissue found ({reason})", advice)


class TooLittleTissue(NoTissue):
    """There is tissue, but less than a search could work with."""

    def __init__(self, uri: Path | str, area_um2: float) -> None:
        self.area_um2 = area_um2
        self.reason = f"{area_um2:,.0f} µm² in all, less than a twentieth of a tile"
        advice = "See what `histoseek mask FILE` shows, or lower --tissue-threshold"
        SlideError.__init__(self, uri, f"too little tissue ({self.reason})", advice)


class RegionOutside(SlideError):
    """A region reaches beyond its slide."""

    def __init__(self, uri: str, region: str, size: tuple[int, int]) -> None:
        self.region = region
        self.size = size
        what = f"the region {region} (level-0 px) reaches beyond the slide of {size[0]} x {size[1]} px"
        super().__init__(uri, what, "Give x,y,width,height in level-0 px, or in µm followed by `um`")


class DuplicateSlide(SlideError):
    """Two files of one run have the same content, or were given the same id."""

    def __init__(self, uri: str, first: str, same_id: bool) -> None:
        self.first = first
        self.same_id = same_id
        what = f"has the same {'slide id' if same_id else 'content'} as {first}"
        super().__init__(uri, what, "Keep one of the two" if not same_id else "Give each file an id of its own")


class UnknownEncoder(EncoderError):
    """No encoder is registered under this name."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        self.name = name
        self.known = tuple(known)
        super().__init__(name, "no such encoder", f"Choose from: {', '.join(known)}")


class UnknownWeights(EncoderError):
    """No weights of this name or in this place."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        self.name = name
        self.known = tuple(known)
        advice = f"Choose from: {', '.join(known)}" if known else "`histoseek weights list` shows those there are"
        super().__init__(name, "no such weights", advice)


class WeightsError(EncoderError):
    """A weights file or checkpoint cannot be used."""

    def __init__(self, path: Path | str, what: str, advice: str = "Check the file, or get it again") -> None:
        self.path = Path(path)
        super().__init__(str(path), what, advice)


class MissingExtra(EncoderError):
    """A package that is installed on demand is missing."""

    def __init__(self, package: str, extra: str) -> None:
        self.package = package
        self.extra = extra
        super().__init__(package, "is not installed", f"Install it with: pip install 'histoseek[{extra}]'")


class SpaceMismatch(ArchiveError):
    """Vectors of two embedding spaces were about to meet."""

    def __init__(self, where: str, part: str, archive_has: str, other_has: str) -> None:
        self.part = part
        self.archive_has = archive_has
        self.other_has = other_has
        what = f"the archive's {part} is {archive_has}, here it is {other_has}"
        advice = "Use the archive's own settings, move it with `histoseek reencode`, or make a new archive"
        super().__init__(where, what, advice)


class ArchiveNotFound(ArchiveError):
    """There is no archive in this folder."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        super().__init__(str(path), "no histoseek archive here", "Build one with: histoseek index SLIDES --archive DIR")


class ArchiveBusy(ArchiveError):
    """Another process is writing to the archive."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        super().__init__(str(path), "another process is writing to this archive", "Wait until it has finished")


class ServerUnreachable(ArchiveError):
    """The server of an archive did not answer in time, however often it was asked."""

    def __init__(self, address: str, reason: str) -> None:
        self.address = address
        self.reason = reason
        advice = "See that it runs and that this machine reaches it, and repeat the command: nothing is lost"
        super().__init__(address, f"the server cannot be reached ({reason})", advice)


class AccessDenied(ArchiveError):
    """The server of an archive does not let this user do it."""

    def __init__(self, address: str, reason: str, advice: str) -> None:
        self.address = address
        self.reason = reason
        super().__init__(address, f"the server refuses access ({reason})", advice)


class ServerUnsuited(ArchiveError):
    """The server of an archive lacks something that is needed: an extension, a version, a bucket."""

    def __init__(self, address: str, what: str, advice: str) -> None:
        self.address = address
        super().__init__(address, what, advice)


class ArchiveReadOnly(ArchiveError):
    """The archive's folder cannot be written."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        super().__init__(str(path), "the archive cannot be written", "Check the folder's permissions and its disk")


class DiskFull(ArchiveError):
    """No space is left where the archive lies."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        advice = "What was committed is safe: free some space and repeat the command"
        super().__init__(str(path), "the disk is full", advice)


class DamagedArchive(ArchiveError):
    """A file of the archive does not hold what it should."""

    def __init__(self, path: Path | str, reason: str) -> None:
        self.path = Path(path)
        self.reason = reason
        super().__init__(str(path), f"damaged ({reason})", "See docs/archive.md, 'When an archive is damaged'")


class OutdatedSnapshot(ArchiveError):
    """A snapshot shows a state of the archive whose files were removed since."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        what = "the state of the archive that is read here was removed after others had changed it"
        advice = "Take a new snapshot; HISTOSEEK_HISTORY_MINUTES says for how long such states are kept"
        super().__init__(str(path), what, advice)


class UnusableBags(ArchiveError):
    """Cached features that are needed are missing or damaged."""

    def __init__(self, path: Path | str, slide_ids: Sequence[str]) -> None:
        self.path = Path(path)
        self.slide_ids = tuple(slide_ids)
        names = ", ".join(slide_ids[:5]) + (f" and {len(slide_ids) - 5} more" if len(slide_ids) > 5 else "")
        what = f"cached features of {len(slide_ids)} slides are missing or damaged: {names}"
        advice = "Remove these slides with `histoseek remove`, index them again, and repeat the command"
        super().__init__(str(path), what, advice)


class NoPrompts(InputError):
    """No concept of the vocabulary is stated by enough reports to be learnt."""

    def __init__(self, reports: int, patients: int, least_patients: int) -> None:
        self.reports, self.patients, self.least_patients = reports, patients, least_patients
        what = (
            f"no term of the vocabulary can be learnt from {reports} reports of {patients} patients: at least "
            f"{least_patients} patients must have what it names, and {least_patients} must not"
        )
        advice = "Give more reports that name diagnoses or findings, or train a model without prompts"
        super().__init__("reports", what, advice)


class TooFewWords(InputError):
    """Reports have too few words in common for a text encoder to be trained on them from scratch."""

    def __init__(self, words: int, needed: int, patients: int) -> None:
        self.words, self.needed, self.patients = words, needed, patients
        what = f"{words} words that reports of at least {patients} patients have, {needed} are needed"
        super().__init__("reports", what, "Give more reports, or begin with a trained encoder (--text-encoder minilm)")


class TooFewPairs(ArchiveError):
    """An archive has too few slide-report pairs to learn from."""

    def __init__(self, path: Path | str, pairs: int, patients: int, texts: int, needed: tuple[int, int, int]) -> None:
        self.path = Path(path)
        self.pairs, self.patients, self.texts = pairs, patients, texts
        what = f"{pairs} slides with reports, of {patients} patients, with {texts} distinct texts"
        advice = "At least {} slides of {} patients with {} distinct reports are needed".format(*needed)
        super().__init__(str(path), f"too few to align: {what}", advice)


class UnknownSlide(InputError):
    """The archive has no slide of this id."""

    def __init__(self, slide_id: str) -> None:
        self.slide_id = slide_id
        super().__init__(slide_id, "no slide with this id in the archive", "`histoseek list` shows the ids")


class UnknownCase(InputError):
    """The archive has no slide of this case."""

    def __init__(self, case_id: str) -> None:
        self.case_id = case_id
        super().__init__(f"case {case_id}", "no slide of this case in the archive", "`histoseek list` shows the cases")


class MixedPatients(InputError):
    """A case to search with has slides of several patients."""

    def __init__(self, slides: Sequence[str]) -> None:
        self.slides = tuple(slides)
        what = f"slides of different patients: {', '.join(self.slides)}"
        super().__init__("case", what, "Search with the slides of one patient")


class BadFilter(InputError):
    """A --where expression does not parse, or names an unknown column."""

    def __init__(self, expression: str, reason: str, columns: Sequence[str]) -> None:
        self.expression = expression
        self.reason = reason
        self.columns = tuple(columns)
        super().__init__(f"--where {expression!r}", reason, f"The columns are: {', '.join(columns)}")


class BadTable(InputError):
    """A metadata or report table cannot be used."""

    def __init__(self, path: Path | str, what: str, advice: str) -> None:
        self.path = Path(path)
        super().__init__(str(path), what, advice)


class BadFeatureFile(SlideError):
    """A feature file does not hold a usable bag."""

    def __init__(self, path: Path | str, reason: str) -> None:
        self.reason = reason
        super().__init__(
            path, f"no usable bag of features ({reason})", "See docs/features.md for the supported layouts"
        )


class MissingSlideFeature(SlideError):
    """An archive's slides have vectors that another tool made, and this one has none."""

    def __init__(self, uri: Path | str, encoder: str, advice: str = "Give --slide-feature FILE, made by it") -> None:
        self.encoder = encoder
        super().__init__(uri, f"has no slide feature, and the archive's are of {encoder}", advice)


class OtherFeatures(SlideError):
    """A feature file states that its features were made in another way than the archive's."""

    def __init__(self, path: Path | str, part: str, mine: str, others: str) -> None:
        self.part = part
        what = f"its features are of {part} {mine}, the archive's of {others}"
        super().__init__(path, what, "Index it into an archive of its own")


class ClusterError(HistoseekError):
    """The workers of a cluster can't encode slides; what they have encoded is kept."""


class ClusterUnreachable(ClusterError):
    """The scheduler of a cluster did not answer in time."""

    def __init__(self, address: str, reason: str) -> None:
        self.address = address
        self.reason = reason
        advice = "See that it runs and that this machine reaches it, and repeat the command: nothing is lost"
        super().__init__(f"--cluster {address}", f"its scheduler cannot be reached ({reason})", advice)


class NoWorkers(ClusterError):
    """No worker of a cluster came, or came back, in time."""

    def __init__(self, address: str, waiting: int, minutes: float) -> None:
        self.address = address
        self.waiting = waiting
        what = f"no worker within {minutes:g} minutes, and {waiting:,} slides wait for one"
        advice = "Start workers, or wait longer (HISTOSEEK_CLUSTER_MINUTES), and repeat the command: nothing is lost"
        super().__init__(f"--cluster {address}", what, advice)


class UnsuitedWorker(ClusterError):
    """A worker of a cluster can't do what this process needs."""

    def __init__(self, worker: str, fault: str) -> None:
        self.worker = worker
        self.fault = fault
        advice = "All workers need the same installation and the same folders as this machine (docs/cluster.md)"
        super().__init__(f"worker {worker}", fault, advice)
