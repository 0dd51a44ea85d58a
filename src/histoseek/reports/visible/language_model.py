"""Asking a language model which sentences a slide can show, at an address that the user names.

Off unless an address is set. Only sentences are sent, one batch a request, and nothing else of a report; they are sent
as they are given, so they must have been de-identified before. No proxy is used and no redirect is followed, so that
the text reaches the named host alone.
"""

from __future__ import annotations

import http.client
import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO
from urllib.parse import urlsplit

from histoseek.errors import ConfigurationError, EncoderError

_INSTRUCTION = (
    "You are given numbered sentences of a pathology report. For each decide whether a pathologist could see what it "
    "says on one slide stained with haematoxylin and eosin. Clinical history, gross descriptions and measurements, "
    "results of immunohistochemistry, special stains or molecular tests, stage, margin and node counts of the whole "
    "case, advice and administration cannot be seen. Answer with a JSON array of the numbers of the sentences that "
    "can be seen, as [1, 3], and nothing else."
)
_ARRAY = re.compile(r"\[[\d,\s]*\]")
_LONGEST_ANSWER_BYTES = 1 << 20
_BUSY = frozenset((408, 425, 429, 500, 502, 503, 504))


@dataclass(frozen=True, slots=True)
class HttpJudge:
    """A SentenceJudge behind an OpenAI-compatible endpoint; `url` is what "/chat/completions" is put behind.

    batch: sentences a request. A request that fails for now (busy, timed out, no connection) is tried `retries` times
    more, after pause_s, twice that, and so on.
    """

    url: str
    name: str
    timeout_s: float = 60.0
    retries: int = 2
    pause_s: float = 1.0
    batch: int = 20

    def judge(self, sentences: Sequence[str]) -> tuple[bool, ...]:
        """Whether a slide can show each sentence. Raises EncoderError: no connection, refused, no usable answer."""
        answers: list[bool] = []
        for start in range(0, len(sentences), self.batch):
            answers += self._judge_batch(sentences[start : start + self.batch])
        return tuple(answers)

    def _judge_batch(self, sentences: Sequence[str]) -> list[bool]:
        numbered = "\n".join(f"{number}. {sentence}" for number, sentence in enumerate(sentences, start=1))
        messages = [{"role": "system", "content": _INSTRUCTION}, {"role": "user", "content": numbered}]
        body = json.dumps({"model": self.name, "temperature": 0, "messages": messages}).encode()
        visible_numbers = self._parse_numbers(self._post(body))
        if not visible_numbers <= set(range(1, len(sentences) + 1)):
            raise self._make_error(f"an answer about sentences that were not sent ({sorted(visible_numbers)})")
        return [number in visible_numbers for number in range(1, len(sentences) + 1)]

    def _post(self, body: bytes) -> bytes:
        address = f"{self.url.rstrip('/')}/chat/completions"
        request = urllib.request.Request(address, body, {"Content-Type": "application/json"})
        for attempt in range(self.retries + 1):
            try:
                with _build_opener().open(request, timeout=self.timeout_s) as answer:
                    return answer.read(_LONGEST_ANSWER_BYTES)
            except urllib.error.HTTPError as error:
                fault = f"answered with status {error.code}"
                if error.code not in _BUSY:
                    raise self._make_error(fault) from error
            except (OSError, http.client.HTTPException) as error:
                fault = f"gave no answer ({getattr(error, 'reason', None) or error or type(error).__name__})"
            if attempt < self.retries:
                time.sleep(self.pause_s * 2**attempt)
        raise self._make_error(f"{fault}, {self.retries + 1} times")

    def _parse_numbers(self, answer: bytes) -> set[int]:
        """The last array of numbers in what the model says; models may think aloud before it."""
        try:
            content = json.loads(answer)["choices"][0]["message"]["content"]
            return set(json.loads(_ARRAY.findall(content)[-1]))
        except (ValueError, KeyError, IndexError, TypeError) as error:
            raise self._make_error("an answer without an array of sentence numbers") from error

    def _make_error(self, what: str) -> EncoderError:
        return EncoderError(f"{self.name} at {self.url}", what, "Check HISTOSEEK_LANGUAGE_MODEL_URL and _NAME")


def create_judge(url: str, name: str) -> HttpJudge | None:
    """The judge that the settings name; None when neither is set.

    Raises ConfigurationError: one without the other, an address that is not http or https or that holds a password.
    """
    if not url and not name:
        return None
    if not url or not name:
        missing = "HISTOSEEK_LANGUAGE_MODEL_NAME" if url else "HISTOSEEK_LANGUAGE_MODEL_URL"
        raise ConfigurationError(missing, "not set, although the other is", "Set both, or neither")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
        advice = "Give an address as http://localhost:8080/v1"
        raise ConfigurationError("HISTOSEEK_LANGUAGE_MODEL_URL", "not a plain http or https address", advice)
    return HttpJudge(url, name)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect would send the text on to a host that the user did not name."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> None:
        return None


def _build_opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects())
