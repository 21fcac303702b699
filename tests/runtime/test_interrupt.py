"""The first Ctrl-C asks for a stop; the second one does what it always did."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgewise.runtime.interrupt import StopRequest, listen_early

BOTH = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])


@pytest.fixture
def heard() -> Iterator[list[int]]:
    """The signals that reach the handlers that were there before."""
    numbers: list[int] = []
    before = {
        n: signal.signal(n, lambda number, _: numbers.append(number)) for n in (signal.SIGINT, signal.SIGTERM)
    }
    yield numbers
    for number, handler in before.items():
        signal.signal(number, handler)


def test_nothing_is_asked_for_without_a_signal(heard: list[int]) -> None:
    with StopRequest() as stop:
        assert not stop.requested
    assert heard == []


@BOTH
def test_the_first_signal_asks_for_a_stop_and_interrupts_nothing(heard: list[int], number: int) -> None:
    with StopRequest() as stop:
        os.kill(os.getpid(), number)
        assert stop.requested
        assert heard == []


@BOTH
def test_the_second_signal_does_what_it_always_did(heard: list[int], number: int) -> None:
    with StopRequest() as stop:
        os.kill(os.getpid(), number)
        os.kill(os.getpid(), number)
        assert heard == [number]
        assert stop.requested


def test_a_second_ctrl_c_ends_the_process_as_python_does(heard: list[int]) -> None:
    # A shell that starts things in the background has them ignore it, so Python's own handler may not be there.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with StopRequest():
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


@BOTH
def test_signals_behave_as_before_once_the_block_has_ended(heard: list[int], number: int) -> None:
    with StopRequest() as stop:
        pass
    os.kill(os.getpid(), number)
    assert heard == [number]
    assert not stop.requested


@BOTH
def test_signals_behave_as_before_once_the_block_has_failed(heard: list[int], number: int) -> None:
    with pytest.raises(ValueError, match="inside"), StopRequest():
        raise ValueError("inside")
    os.kill(os.getpid(), number)
    assert heard == [number]


def test_a_thread_that_may_set_no_handlers_can_use_it_and_is_never_asked_to_stop(heard: list[int]) -> None:
    found: list[object] = []

    def work() -> None:
        try:
            with StopRequest() as stop:
                found.append(stop.requested)
        except ValueError as error:
            found.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [False]


def test_a_ctrl_c_that_others_swallowed_stops_what_begins_later(heard: list[int]) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    listen_early()
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
    with StopRequest() as stop:
        assert stop.requested


def test_without_a_ctrl_c_what_begins_later_goes_on(heard: list[int]) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    listen_early()
    with StopRequest() as stop:
        assert not stop.requested


def test_a_process_that_ignores_ctrl_c_goes_on_ignoring_it(heard: list[int]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    listen_early()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_a_ctrl_c_in_an_import_ends_the_process_at_once(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(
        "import os, signal\ntry:\n    os.kill(os.getpid(), signal.SIGINT)\nexcept KeyboardInterrupt:\n    pass\n"
    )
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from edgewise.runtime.interrupt import listen_early; listen_early()\n"
        "import slow; print('went on')"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "stopped\n")
