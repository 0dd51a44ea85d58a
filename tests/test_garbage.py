"""Programs look for garbage seldom; a library leaves that to its host."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import gc
own = gc.get_threshold()
import histoseek.api
assert gc.get_threshold() == own
import histoseek.cli, sys
sys.argv = ["histoseek", "--help"]
try:
    histoseek.cli.main()
except SystemExit:
    assert gc.get_threshold()[0] > own[0] and gc.isenabled()
    print("so it is")
"""


def test_only_programs_of_ours_say_how_often_garbage_is_looked_for() -> None:
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert ended.stdout.endswith("so it is\n")
