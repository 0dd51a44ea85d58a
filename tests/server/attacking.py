"""Requests as no well-behaved client sends them: bytes on a socket, and what came back."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from histoseek.api import Archive
from histoseek.server.settings import Limits, Rates, ServerSettings, UploadLimits
from tests.server.running import RunningServer, serving_with
from tests.waiting import HANG_S

SLIDE = "SIM-0000-00"
API = "/api/v1"
PATIENT_NAME = "Erika-Mustermann"
_MANY = 10**7
JSON_BYTES = 20_000
FILE_BYTES = 3_000_000
CLOSE = ("Connection", "close")
AS_JSON = ("Content-Type", "application/json")

PLACES = (
    "/archives/{}",
    "/archives/{}/slides",
    "/archives/cohort/slides/{}",
    "/archives/cohort/slides/{}/report",
    "/archives/cohort/slides/{}/thumbnail",
    "/archives/cohort/slides/{}/image.dzi",
    "/archives/cohort/slides/{}/image_files/0/0_0.jpg",
    f"/archives/cohort/slides/{SLIDE}/image_files/{{}}/0_0.jpg",
    f"/archives/cohort/slides/{SLIDE}/image_files/0/{{}}_0.jpg",
    "/archives/cohort/slides?where={}",
    "/archives/cohort/slides?after={}",
    "/archives/cohort/slides?limit={}",
    f"/archives/cohort/slides/{SLIDE}/thumbnail?px={{}}",
    "/archives/cohort/map?label={}",
    "/archives/cohort/feedback?query_key={}",
    "/uploads/{}",
    "/uploads/{}/thumbnail",
    "/jobs/{}",
    "/jobs/{}/events",
    "/collections/{}",
    "/collections/{}/slides",
    "/collections/{}/export",
    "/archives/cohort/slides/{}/annotations",
    "/archives/cohort/slides/{}/figure?x=0&y=0&width=100&height=100",
    "/archives/cohort/slides/{}/region?x=0&y=0&width=100&height=100",
    f"/archives/cohort/slides/{SLIDE}/region?x={{}}&y=0&width=100&height=100",
    f"/archives/cohort/slides/{SLIDE}/figure?x=0&y=0&width=100&height=100&frame={{}}",
    f"/archives/cohort/slides/{SLIDE}/image_files/0/0_0.jpg?stain={{}}",
    "/archives/cohort/cases/{}",
    "/archives/cohort/patients/{}",
    "/archives/cohort/import?after={}",
    "/saved-searches/{}",
    "/saved-searches/{}/news",
    "/worklists/{}",
    "/worklists/{}/export",
    "/uploads/{}/files",
    "/uploads/{}/figure?x=0&y=0&width=100&height=100",
    "/../../assets/{}",
    "/../../{}",
    "/{}",
)
TRAVERSALS = (
    "../../../../etc/passwd",
    "..%2f..%2f..%2f..%2fetc%2fpasswd",
    "%252e%252e%252f%252e%252e%252fetc%252fpasswd",
    "..%5c..%5cetc%5cpasswd",
    "/etc/passwd",
    "%2fetc%2fpasswd",
    "file:///etc/passwd",
    "....//....//etc/passwd",
    "..%c0%af..%c0%afetc/passwd",
    "%00",
    "SIM-0000-00%00.jpg",
    "%ff%fe",
    "%ed%a0%80",
    "%F0%9F%94%AC",
    "%E2%80%AE",
    "'%20OR%20'1'='1",
    "';DROP%20TABLE%20slides--",
    "${jndi:ldap://127.0.0.1/x}",
    "{{7*7}}",
    "%0d%0aX-Injected:%201",
    "a" * 3000,
    "1e309",
    "-1",
    "99999999999999999999999999",
    "nan",
    "state/state.sqlite",
    "..",
    ".",
    "",
)
NOT_JSON = (
    b"",
    b"{",
    b"null",
    b"[]",
    b'"text"',
    b"\xff\xfe{}",
    b'{"query": {"kind": "text", "text": "\xc3\x28"}}',
    b'{"query": {"kind": "text", "text": "\\ud800"}}',
    b'{"query": {"kind": "slide", "slide": {"slide_id": "\\ud800"}}}',
    b'{"query": {"kind": "slide", "slide": {"slide_id": "\\u0000"}}}',
    b'{"query": {"kind": "text", "text": "a"}, "k": 1e400}',
    b'{"query": {"kind": "text", "text": "a"}, "k": NaN}',
    b'{"query": {"kind": "text", "text": "a"}, "k": ' + b"9" * 5000 + b"}",
    b'{"query": {"kind": "text", "text": "a"}, "min_probability": NaN}',
    b'{"query": {"kind": "text", "text": "a"}, "min_probability": -Infinity}',
    b'{"query": {"kind": "text", "text": "a"}, "query": {"kind": "sql", "text": "b"}}',
    b'{"query": {"kind": "text", "text": "a"}, "__proto__": {"k": 1}}',
    b'{"query": {"kind": "picture", "upload_id": "../../../../etc/passwd", "spacing_um_per_px": 1}}',
    b'{"query": {"kind": "slide", "slide": {"upload_id": "../../state.sqlite"}}}',
    b"[" * 9000 + b"]" * 9000,
    b'{"a":' * 3000 + b"1" + b"}" * 3000,
)
TAKES_JSON = (
    ("POST", "/archives/cohort/search"),
    ("POST", "/archives/cohort/explain"),
    ("POST", "/archives/cohort/phrases"),
    ("POST", "/archives/cohort/differential"),
    ("POST", "/archives/cohort/facets"),
    ("POST", "/archives/cohort/feedback"),
    ("POST", "/archives/cohort/slides/list"),
    ("POST", "/archives/cohort/understand"),
    ("POST", "/archives/cohort/completions"),
    ("POST", "/archives/cohort/worklists"),
    ("POST", f"/archives/cohort/slides/{SLIDE}/annotations"),
    ("POST", "/search"),
    ("POST", "/saved-searches"),
    ("POST", f"/saved-searches/{'0' * 32}/seen"),
    ("POST", "/uploads/open"),
    ("POST", "/uploads/plan"),
    ("PUT", f"/collections/{'0' * 32}/sharing"),
    ("POST", "/archives/cohort/jobs"),
    ("PATCH", f"/archives/cohort/slides/{SLIDE}"),
    ("POST", "/collections"),
    ("PUT", f"/collections/{'0' * 32}"),
    ("POST", f"/uploads/{'0' * 32}/encode"),
)


@dataclass(frozen=True, slots=True)
class Answered:
    """Status (0: the connection ended without an answer), head in small letters, and body."""

    status: int
    head: str
    body: bytes

    @property
    def is_problem(self) -> bool:
        """Whether it is a problem of the API's."""
        return "content-type: application/problem+json" in self.head and {"type", "detail"} < {*json.loads(self.body)}


def request(
    method: str, target: str, headers: Sequence[tuple[str, str]] = (), body: bytes = b"", host: str = "127.0.0.1"
) -> bytes:
    """A request in bytes; nothing in it is escaped, and a Content-Length is only added where there is a body."""
    named = {name.lower() for name, _ in headers}
    given = [("Host", host), *headers]
    if body and not named & {"content-length", "transfer-encoding"}:
        given.append(("Content-Length", str(len(body))))
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in given), "", ""]
    return "\r\n".join(lines).encode("latin-1", errors="replace") + body


def connect(server: RunningServer) -> socket.socket:
    place = urlsplit(server.url)
    return socket.create_connection((place.hostname or "", place.port or 0), timeout=HANG_S)


def exchange(server: RunningServer, sent: bytes, finish: bool = False) -> bytes:
    """Everything that comes back for these bytes until the server closes; finish: say that no more will come."""
    with connect(server) as channel, suppress(ConnectionError, TimeoutError):
        received = bytearray()
        with suppress(ConnectionError):
            channel.sendall(sent)
            if finish:
                channel.shutdown(socket.SHUT_WR)
        while piece := channel.recv(65536):
            received += piece
    return bytes(received)


def asked(server: RunningServer, sent: bytes, finish: bool = False) -> Answered:
    """The first answer to a request that says `Connection: close`, or is so wrong that the server does."""
    return read(exchange(server, sent, finish))


def read(received: bytes) -> Answered:
    """The first answer in what was received."""
    head, _, body = received.partition(b"\r\n\r\n")
    status = head.split(b" ", 2)[1:2]
    return Answered(int(status[0]) if status else 0, head.decode("latin-1").lower(), body)


def memory_bytes(pid: int) -> int:
    """What a process holds in memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


def open_files(pid: int) -> int:
    """How many files and sockets a process has open."""
    return len([*Path(f"/proc/{pid}/fd").iterdir()])


@contextmanager
def attacked(indexed: Path, folder: Path, hurried: bool = False) -> Iterator[RunningServer]:
    """A server that asks for patience only after wrong tokens; hurried: and has little with slow clients itself."""
    (folder / "import").mkdir()
    rates = Rates(_MANY, _MANY, _MANY, _MANY, failed_logins=20)
    limits = Limits(rates, json_bytes=JSON_BYTES, body_pause_s=HANG_S, body_s=HANG_S, upload_s=HANG_S)
    if hurried:
        limits = replace(limits, body_pause_s=0.5, body_s=1.5, upload_s=1.5)
    uploads = UploadLimits(file_bytes=FILE_BYTES)
    settings = ServerSettings(
        {"cohort": indexed},
        folder / "state",
        write=True,
        import_folder=folder / "import",
        limits=limits,
        uploads=uploads,
    )
    with serving_with(settings) as server:
        yield server


def private_words(server: RunningServer, indexed: Path) -> set[str]:
    """What may stand in no refusal, log or audit file."""
    words = {str(indexed), str(server.state), "Traceback", 'File "', PATIENT_NAME, "root:"}
    for record in Archive.open(indexed).records():
        words |= {
            record.uri,
            record.file_fingerprint,
            Path(record.uri).name,
            record.patient_id or "",
            record.report or "",
        }
    return words - {""}


def answered_still(server: RunningServer) -> bool:
    return asked(server, request("GET", f"{API}/health", (CLOSE,))).status == 200
