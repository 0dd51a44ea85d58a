from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from histoseek.errors import ConfigurationError
from histoseek.server.errors import Overloaded
from histoseek.server.state.database import State
from tests.waiting import HANG_S

COUNTERS = (
    (
        "CREATE TABLE keys (purpose TEXT PRIMARY KEY, value BLOB NOT NULL)",
        "CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL)",
    ),
)
ADD = "INSERT INTO counters VALUES ('n', 1) ON CONFLICT (name) DO UPDATE SET value = value + 1"
CHILD = f"""
import sys
from pathlib import Path
from histoseek.server.state.database import State
state = State(Path(sys.argv[1]), {COUNTERS!r})
for _ in range(50):
    with state.open_transaction() as connection:
        connection.execute({ADD!r})
print(state.derive_key("purpose").hex())
"""


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_only_the_owner_can_read_the_state(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "state"
    state = State(folder)
    state.derive_key("anything")
    assert mode(folder) == 0o700
    files = ("state.sqlite", "state.sqlite-wal", "state.sqlite-shm", "state.lock")
    assert {file.name: mode(file) for file in folder.iterdir()} == dict.fromkeys(files, 0o600)


def test_a_folder_that_others_may_enter_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with pytest.raises(ConfigurationError, match="chmod 700"):
        State(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_file_in_the_folders_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("x")
    with pytest.raises(ConfigurationError, match="can't be created"):
        State(tmp_path / "state")


def test_a_damaged_database_is_one_error(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    State(folder).close()
    (folder / "state.sqlite").write_bytes(b"not a database at all" * 100)
    with pytest.raises(ConfigurationError, match="DatabaseError"):
        State(folder)


def test_migrations_run_once_and_in_order(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    first = (("CREATE TABLE a (x INTEGER)", "INSERT INTO a VALUES (1)"),)
    State(folder, first).close()
    second = (*first, ("ALTER TABLE a ADD COLUMN y INTEGER DEFAULT 7",))
    for _ in range(2):
        state = State(folder, second)
        assert [tuple(row) for row in state.read("SELECT x, y FROM a")] == [(1, 7)]
        state.close()


def test_a_migration_that_fails_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    with pytest.raises(ConfigurationError):
        State(folder, (("CREATE TABLE a (x INTEGER)", "INSERT INTO nowhere VALUES (1)"),))
    state = State(folder, (("CREATE TABLE a (x INTEGER)",),))
    assert state.read("SELECT * FROM a") == []


def test_the_state_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    State(folder, (*COUNTERS, ("CREATE TABLE later (x INTEGER)",))).close()
    with pytest.raises(ConfigurationError, match="newer"):
        State(folder, COUNTERS)


def test_a_transaction_that_raises_is_undone(tmp_path: Path) -> None:
    state = State(tmp_path / "state", COUNTERS)
    with pytest.raises(ZeroDivisionError), state.open_transaction() as connection:
        connection.execute(ADD)
        raise ZeroDivisionError
    assert state.read("SELECT * FROM counters") == []
    with state.open_transaction() as connection:
        connection.execute(ADD)
    assert [row["value"] for row in state.read("SELECT * FROM counters")] == [1]


def test_threads_lose_no_change(tmp_path: Path) -> None:
    state = State(tmp_path / "state", COUNTERS)

    def count() -> None:
        for _ in range(25):
            with state.open_transaction() as connection:
                (before,) = connection.execute("SELECT coalesce(max(value), 0) FROM counters").fetchone()
                connection.execute("INSERT OR REPLACE INTO counters VALUES ('n', ?)", (before + 1,))

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert state.read("SELECT value FROM counters")[0]["value"] == 200


def test_processes_share_one_state_from_the_first_moment(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CHILD, str(tmp_path / "state")]
    children = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    keys = {child.communicate(timeout=HANG_S)[0] for child in children}
    assert [child.returncode for child in children] == [0] * 4
    assert len(keys) == 1
    assert State(tmp_path / "state", COUNTERS).read("SELECT value FROM counters")[0]["value"] == 200


def test_keys_differ_by_purpose_and_by_state(tmp_path: Path) -> None:
    one, other = State(tmp_path / "one"), State(tmp_path / "other")
    keys = {one.derive_key("a"), one.derive_key("b"), other.derive_key("a")}
    assert len(keys) == 3
    assert {len(key) for key in keys} == {32}
    one.close()
    assert State(tmp_path / "one").derive_key("a") in keys


def test_others_that_write_for_too_long_are_an_overload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("histoseek.server.state.sqlite._WAIT_S", 0.01)
    state = State(tmp_path / "state", COUNTERS)
    busy = sqlite3.connect(tmp_path / "state" / "state.sqlite", isolation_level=None)
    busy.execute("BEGIN IMMEDIATE")
    with pytest.raises(Overloaded) as caught, state.open_transaction():
        pass
    busy.close()
    assert (caught.value.status, caught.value.retry_after_s) == (503, 5)
    assert str(tmp_path) not in str(caught.value)


def test_a_statement_that_is_wrong_stays_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError):
        State(tmp_path / "state").read("SELECT * FROM nowhere")


def test_of_what_was_deleted_or_replaced_no_byte_stays(tmp_path: Path) -> None:
    state = State(tmp_path / "state", ((*COUNTERS[0], "CREATE TABLE texts (name TEXT PRIMARY KEY, text TEXT)"),))
    with state.open_transaction() as connection:
        rows = [(f"row {number:03}", f"quokkaform {number} " * (1 + number * number)) for number in range(60)]
        connection.executemany("INSERT INTO texts VALUES (?, ?)", rows)
    with state.open_transaction() as connection:
        connection.execute("UPDATE texts SET text = 'clean' WHERE name < 'row 030'")
        connection.execute("DELETE FROM texts WHERE name >= 'row 030'")
    assert any(b"quokkaform" in path.read_bytes() for path in state.folder.iterdir())
    assert state.erase_deleted()
    assert not any(b"quokkaform" in path.read_bytes() for path in state.folder.iterdir())


def test_a_reader_puts_the_erasure_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("histoseek.server.state.sqlite._WAIT_S", 0.0)
    state = State(tmp_path / "state", COUNTERS)
    with sqlite3.connect(tmp_path / "state" / "state.sqlite") as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM counters").fetchall()
        with state.open_transaction() as connection:
            connection.execute(ADD)
        assert (state.erase_deleted(), state.holds_traces) == (False, True)
    reader.close()
    assert (state.erase_deleted(), state.holds_traces) == (True, False)
