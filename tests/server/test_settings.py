from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from histoseek.errors import ConfigurationError
from histoseek.server.settings import (
    ENVIRONMENT,
    Limits,
    Rates,
    ServerSettings,
    UploadLimits,
    is_loopback,
    name_archives,
)

counts = st.integers(1, 10**9)
SETTINGS = st.builds(
    ServerSettings,
    archives=st.dictionaries(st.from_regex(r"[a-z][a-z0-9._-]{0,20}", fullmatch=True), st.just(Path("/data/a b"))),
    state=st.just(Path("/var/lib/histoseek")),
    host=st.sampled_from(["127.0.0.1", "::1", "localhost"]),
    port=st.integers(0, 65_535),
    workers=st.integers(1, 64),
    write=st.just(True),
    import_folder=st.sampled_from([None, Path("/import")]),
    allow_anonymous=st.booleans(),
    allowed_hosts=st.lists(st.just("slides.example.org"), max_size=2).map(tuple),
    limits=st.builds(Limits, rates=st.builds(Rates, searches=counts), search_s=st.floats(0.1, 1e4)),
    uploads=st.builds(UploadLimits, file_bytes=counts),
)


@given(SETTINGS)
def test_workers_get_the_same_settings(settings: ServerSettings) -> None:
    assert ServerSettings.from_json(settings.to_json()) == settings


def test_settings_travel_through_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT, "")
    settings = ServerSettings({"kidney": Path("/data/kidney.archive")}, workers=3)
    settings.write_to_environment()
    assert ServerSettings.from_environment() == settings
    monkeypatch.delenv(ENVIRONMENT)
    with pytest.raises(ConfigurationError, match="histoseek serve"):
        ServerSettings.from_environment()


@pytest.mark.parametrize("text", ["", "{}", '{"archives": 1}', '{"archives": {}, "port": "many"}'])
def test_settings_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ConfigurationError):
        ServerSettings.from_json(text)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.4", "::", "slides.example.org", "127.0.0.1.example.org"])
def test_a_server_without_tokens_is_for_this_machine_only(host: str) -> None:
    with pytest.raises(ConfigurationError, match="--no-token"):
        ServerSettings({}, host=host, allow_anonymous=True)


def test_what_does_not_fit_together_is_refused() -> None:
    settings = ServerSettings({})
    for changes in ({"port": -1}, {"port": 65_536}, {"workers": 0}, {"import_folder": Path("/in")}):
        with pytest.raises(ConfigurationError):
            replace(settings, **changes)  # type: ignore[arg-type]


def test_archives_are_named_after_their_folders(tmp_path: Path) -> None:
    found = name_archives([tmp_path / "kidney.archive", tmp_path / "lung"])
    assert found == {"kidney": str(tmp_path / "kidney.archive"), "lung": str(tmp_path / "lung")}


def test_archives_on_servers_are_named_after_their_addresses() -> None:
    address = "postgresql://me:secret@host/path/kidney.archive?sslmode=require"
    assert name_archives([address, "s3://bucket/lung/"]) == {"kidney": address, "lung": "s3://bucket/lung/"}
    with pytest.raises(ConfigurationError, match="is taken by") as caught:
        name_archives([address, "s3://bucket/kidney"])
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["my slides", "a%2f", "..archive", ".archive", "niere\N{LATIN SMALL LETTER A WITH DIAERESIS}"]
)
def test_names_that_cannot_stand_in_an_address_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match="URL"):
        name_archives([tmp_path / name])


def test_two_archives_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="is taken"):
        name_archives([tmp_path / "a" / "kidney.archive", tmp_path / "b" / "kidney"])


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("LocalHost", True), ("10.0.0.1", False), ("", False)],
)
def test_loopback_names(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
