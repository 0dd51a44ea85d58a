from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from histoseek.server.security.errors import WrongHost
from histoseek.server.security.hosts import Hosts, is_same_origin


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8750", "127.0.0.1", "localhost:8750", "LOCALHOST", "[::1]:8750", "[::1]", "127.9.9.9:1"]
)
def test_loopback_names_will_do(host: str) -> None:
    Hosts("127.0.0.1").check(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "example.org",
        "example.org:8750",
        "127.0.0.1.example.org",
        "localhost.example.org",
        "localhost@example.org",
        "example.org/@localhost",
        "localhost:8750:8750",
        "[::1",
        "0.0.0.0:8750",
        " localhost",
        "2130706433",
    ],
)
def test_other_names_are_refused(host: str) -> None:
    with pytest.raises(WrongHost) as caught:
        Hosts("127.0.0.1").check(host)
    assert caught.value.status == 421
    assert "example" not in str(caught.value)


def test_names_can_be_allowed() -> None:
    hosts = Hosts("0.0.0.0", ["Slides.Example.org"])
    hosts.check("slides.example.org:443")
    for other in ("example.org", "0.0.0.0", "x.slides.example.org"):
        with pytest.raises(WrongHost):
            hosts.check(other)


@pytest.mark.parametrize(("listens_on", "host"), [("10.1.2.3", "10.1.2.3:8750"), ("fd00::7", "[fd00::7]:8750")])
def test_the_address_a_server_listens_on_is_its_name(listens_on: str, host: str) -> None:
    Hosts(listens_on).check(host)
    with pytest.raises(WrongHost):
        Hosts("127.0.0.1").check(host)


@given(st.text(max_size=60))
def test_any_host_header_is_read(host: str) -> None:
    try:
        Hosts("127.0.0.1").check(host)
    except WrongHost:
        return
    assert any(own in host.lower() for own in ("localhost", "127.", "::", "[0"))


@pytest.mark.parametrize(
    ("origin", "host", "secure", "expected"),
    [
        ("http://127.0.0.1:8750", "127.0.0.1:8750", False, True),
        ("https://slides.example.org", "slides.example.org", True, True),
        ("https://slides.example.org:443", "Slides.example.org", True, True),
        ("http://127.0.0.1:3000", "127.0.0.1:8750", False, False),
        ("http://localhost:8750", "127.0.0.1:8750", False, False),
        ("http://example.org", "127.0.0.1:8750", False, False),
        ("null", "127.0.0.1:8750", False, False),
        ("", "", False, False),
        ("http://a:b:c", "127.0.0.1:8750", False, False),
        ("file://127.0.0.1:8750", "127.0.0.1:8750", False, False),
    ],
)
def test_same_origin_is_same_host_and_port(origin: str, host: str, secure: bool, expected: bool) -> None:
    assert is_same_origin(origin, host, secure) is expected
