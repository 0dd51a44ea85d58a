"""What can be wrong with uploads."""

from __future__ import annotations

from pathlib import Path

from histoseek.errors import SlideError
from histoseek.server.errors import Conflict, Overloaded, RequestError, TooLarge


class UploadTooLarge(TooLarge):
    """One file has more bytes than the server takes."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        super().__init__("upload", f"larger than the {most_bytes / 2**20:,.0f} MB that this server takes")


class IncompleteUpload(RequestError):
    """Not as many bytes came as were announced."""

    def __init__(self, announced_bytes: int, came_bytes: int) -> None:
        self.announced_bytes = announced_bytes
        self.came_bytes = came_bytes
        if not (announced_bytes or came_bytes):
            super().__init__("upload", "the file is empty", "Choose another")
        else:
            super().__init__("upload", f"only {came_bytes} of {announced_bytes} bytes arrived", "Send it again")


class UnknownFormat(RequestError):
    """The file's name has no ending of a slide in one file, or of a report."""

    status = 415

    def __init__(self, suffixes: tuple[str, ...], what: str = "slide") -> None:
        self.suffixes = suffixes
        super().__init__(
            "upload",
            f"the file name has no suffix of a {what} format",
            f"Choose a file of these formats: {', '.join(suffixes)}",
        )


class QuotaExceeded(Conflict):
    """Its owner's space for uploads is used up."""

    def __init__(self, what: str) -> None:
        super().__init__("upload", what, "Delete some of your uploads")


class StorageFull(Overloaded):
    """The server's space for uploads is used up."""

    status = 507

    def __init__(self) -> None:
        super().__init__("upload", "the server has no space for it now", "Try again later", retry_after_s=600)


class RefusedSlide(SlideError):
    """An uploaded slide that can't be used, with the kind of the error that the sandbox met."""

    def __init__(self, kind: str, name: str, what: str, advice: str) -> None:
        self._kind = kind
        super().__init__(Path(name), what, advice)

    @property
    def kind(self) -> str:
        """The name of the class in the sandbox, such as "UnreadableSlide"."""
        return self._kind


class SandboxFailure(RequestError):
    """The process that read a slide had to be ended, or ended by itself: the file is unusable, or far too costly."""

    status = 422

    def __init__(self, what: str) -> None:
        super().__init__("slide", what, "Check the file, or export it again")


class SandboxBusy(Overloaded):
    """No slide can be read now: others are, or the server is short of processes or about to end."""

    def __init__(self, what: str = "other slides are being read at the moment") -> None:
        super().__init__("slide", what, "Try again", retry_after_s=5)
