"""What takes long is waited for, and abandoned where whoever listens says so."""

import signal
import subprocess
import sys
import time
from functools import partial

import pytest
from ortools.util.python.solve_interrupter import SolveInterrupter  # type: ignore[import-untyped]  # no type marker

from solver import Cancelled
from solver.patience import Patience


def stop() -> None:
    raise Cancelled


def test_what_is_found_elsewhere_is_what_is_found_here() -> None:
    heard = []
    with Patience(lambda: heard.append(1)) as patience:
        assert [patience.elsewhere(partial(pow, 3, n)) for n in (2, 5)] == [9, 243]
        assert patience.elsewhere(partial(time.sleep, 0.6)) is None
        child = patience.child
    assert len(heard) >= 2
    assert child is not None
    assert child.returncode is not None


def test_a_search_elsewhere_is_ended_when_nobody_waits_for_it() -> None:
    began = time.monotonic()
    with Patience(stop) as patience:
        with pytest.raises(Cancelled):
            patience.elsewhere(partial(time.sleep, 60))
        assert patience.child is None
    assert time.monotonic() - began < 50


def test_a_simplex_is_interrupted_in_place() -> None:
    def simplex(interrupter: SolveInterrupter | None) -> None:
        assert interrupter is not None
        while not interrupter.interrupted:
            time.sleep(0.01)

    with Patience(stop) as patience, pytest.raises(Cancelled):
        patience.here(simplex)


def test_nobody_is_waited_for_where_nobody_listens() -> None:
    assert Patience().here(lambda interrupter: interrupter) is None


def test_a_search_ends_soon_after_the_process_that_asked() -> None:
    asking = (
        "import pickle, sys, time; from functools import partial; from solver.searching import start;"
        "child = start(); pickle.dump(partial(time.sleep, 60), child.stdin); child.stdin.flush();"
        "print(child.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", asking], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and running(child):
        time.sleep(0.05)
    assert not running(child)


def running(process: int) -> bool:
    """Whether a process is there, and is no zombie that nobody has looked after yet."""
    state = subprocess.run(["/bin/ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True, check=False)
    return state.stdout.strip()[:1] not in ("", "Z")
