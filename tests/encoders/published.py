"""Small published models for tests: cards, files, caches as tools leave them, and a hub on this machine."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from histoseek.encoders.cards.card import Publication, WeightsFile
from histoseek.settings import get_settings

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def publication(sha: str = "", name: str = "pytorch_model.bin", **fields: object) -> Publication:
    files = (WeightsFile(name, sha),)
    return Publication(**{"repository": "Lab/small", "files": files, "licence": "MIT", "revision": COMMIT, **fields})


def clear_places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, **settings: object) -> None:
    """No weights anywhere but where a test puts them, and no network at all."""
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    values = {
        "cache_dir": tmp_path / "cache",
        "encoders_dir": tmp_path / "encoders",
        "accept_unknown_weights": 0,
        "download": 0,
    }
    values.update(settings)
    for name, value in values.items():
        monkeypatch.setenv(f"HISTOSEEK_{name.upper()}", str(value))
    get_settings.cache_clear()


def run(*arguments: object) -> int:
    """A command in this very process; raises what it raises. For commands that would load torch again and again."""
    from histoseek.cli.app import app

    try:
        return int(app([*map(str, arguments)], standalone_mode=False) or 0)
    finally:
        get_settings.cache_clear()


def refuse_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("socket.getaddrinfo", refuse)


def put_into_cache(hub: Path, content: bytes, file: str, repository: str = "Lab/small", revision: str = COMMIT) -> Path:
    """A file in the Hugging Face cache: a blob by its SHA-256, and a link to it in the revision's snapshot."""
    folder = hub / f"models--{repository.replace('/', '--')}"
    blob = folder / "blobs" / hashlib.sha256(content).hexdigest()
    link = folder / "snapshots" / revision / file
    for path in (blob, link, folder / "refs" / "main"):
        path.parent.mkdir(parents=True, exist_ok=True)
    blob.write_bytes(content)
    link.unlink(missing_ok=True)
    link.symlink_to(Path("../" * (2 + file.count("/"))) / "blobs" / blob.name)
    (folder / "refs" / "main").write_text(revision)
    return link


@dataclass
class FakeHub:
    """A hub with files of one repository; those of a gated one need the token."""

    files: Mapping[str, bytes]
    token: str = ""
    asked: list[str] = field(default_factory=list)

    @contextmanager
    def serving(self) -> Iterator[str]:
        server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                self._answer(with_body=False)

            def do_GET(self) -> None:
                self._answer(with_body=True)

            def _answer(self, with_body: bool) -> None:
                hub.asked.append(self.path)
                if hub.token and self.headers.get("Authorization") != f"Bearer {hub.token}":
                    self.send_response(403)
                    self.send_header("X-Error-Code", "GatedRepo")
                    self.send_header("X-Error-Message", "Access to model Lab/small is restricted")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                content = hub.files.get(self.path.rpartition("/")[2])
                self.send_response(200 if content is not None else 404)
                body = content or b""
                self.send_header("Content-Length", str(len(body)))
                self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
                self.send_header("X-Repo-Commit", COMMIT)
                self.end_headers()
                if with_body:
                    self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler
