"""Progress is shown where it can be, seldom enough to cost nothing, and asks for figures only when it draws."""

from __future__ import annotations

import io
import time

import pytest

from edgewise.progress.bars import RichProgress
from edgewise.progress.choose import make_progress
from edgewise.progress.pace import Pace, duration, shown_figures
from edgewise.progress.plain import PlainProgress, SilentProgress
from edgewise.progress.protocol import Progress


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    encoding = "utf-8"  # pyright: ignore[reportAssignmentType]

    def isatty(self) -> bool:
        return True


class Figures:
    """Figures that count how often they were asked for."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self) -> dict[str, float | None]:
        self.asked += 1
        return {"loss": 1.23456, "accuracy": 0.4567, "arch_loss": None}


def test_an_epoch_is_a_plain_line_with_percent_figures_and_time_left() -> None:
    stream, clock = io.StringIO(), Clock()
    with PlainProgress(stream, clock=clock).phase("search", epochs=4, steps=2) as phase:
        for step in range(2):
            clock.now += 5
            phase.step(0, step, {"loss": 9.0})
        phase.epoch(0, {"loss": 1.23456, "accuracy": 0.4567, "arch_loss": None})
    assert stream.getvalue() == "search: epoch 1/4, 25%, loss 1.235, accuracy 45.7%, 30 s left\n"


def test_steps_print_a_plain_line_only_after_half_a_minute_without_one() -> None:
    stream, clock, figures = io.StringIO(), Clock(), Figures()
    with PlainProgress(stream, clock=clock).phase("train", epochs=1, steps=100) as phase:
        for step in range(99):
            clock.now += 1
            phase.step(0, step, figures)
    lines = stream.getvalue().splitlines()
    assert [line.split(",")[1] for line in lines] == [" step 30/100", " step 60/100", " step 90/100"]
    assert lines[0] == "train: epoch 1/1, step 30/100, 30%, loss 1.235, accuracy 45.7%, 1 min 10 s left"
    assert figures.asked == 3


def test_the_last_step_of_an_epoch_leaves_the_line_to_the_epoch() -> None:
    stream, clock = io.StringIO(), Clock()
    with PlainProgress(stream, clock=clock).phase("train", epochs=1, steps=1) as phase:
        clock.now += 100
        phase.step(0, 0, {})
        phase.epoch(0, {})
    assert stream.getvalue() == "train: epoch 1/1, 100%\n"


def test_time_left_of_a_resumed_phase_counts_only_what_this_process_did() -> None:
    clock = Clock()
    pace = Pace(epochs=10, steps=10, start_epoch=8, clock=clock)
    assert (pace.fraction, pace.left()) == (0.8, "")
    clock.now += 4
    pace.step(8, 5)
    assert pace.fraction == 0.86
    assert pace.left() == "56 s left"
    clock.now += 4
    pace.epoch(8)
    assert pace.left() == "16 s left"
    pace.epoch(9)
    assert (pace.fraction, pace.left()) == (1.0, "")


def test_a_phase_without_steps_is_done() -> None:
    assert Pace(epochs=0, steps=0, start_epoch=0, clock=Clock()).fraction == 1.0


def test_plain_tables_stand_in_columns() -> None:
    stream = io.StringIO()
    PlainProgress(stream).table("Result", ["network", "top-1"], [["found", "98.5%"], ["a hand-made", "7%"]])
    assert stream.getvalue().splitlines() == [
        "Result",
        "network      top-1",
        "-----------  -----",
        "found        98.5%",
        "a hand-made     7%",
    ]


def test_a_text_that_the_stream_can_not_show_does_not_end_the_run() -> None:
    raw = io.BytesIO()
    progress = PlainProgress(io.TextIOWrapper(raw, encoding="ascii"))
    progress.say("crème 97%")
    assert raw.getvalue().decode() == "cr?me 97%\n"


def test_bars_are_drawn_ten_times_a_second_at_most() -> None:
    stream, clock, figures = Terminal(), Clock(), Figures()
    with RichProgress(stream, clock=clock, width=100).phase("search", epochs=2, steps=100) as phase:
        for step in range(100):
            clock.now += 0.01
            phase.step(0, step, figures)
        assert 8 <= figures.asked <= 10
        before = figures.asked
        phase.epoch(0, figures)
        assert figures.asked == before + 1


def test_bars_show_epoch_step_figures_and_time_left_and_leave_one_line() -> None:
    stream, clock = Terminal(), Clock()
    with RichProgress(stream, clock=clock, width=120).phase("search [a]", epochs=2, steps=10) as phase:
        for step in range(5):
            clock.now += 6
            phase.step(0, step, Figures())
        drawn = stream.getvalue()
        for text in ("search [a]", "epoch 1/2, 25%, 1 min 30 s left", "step 5/10, loss 1.235, accuracy 45.7%"):
            assert text in drawn
        phase.epoch(1, {"loss": 0.5})
    assert stream.getvalue().splitlines()[-1].endswith("search [a]: 2 epochs, took 30 s, loss 0.5")


def test_a_line_said_during_a_phase_stands_above_the_bars_and_is_not_read_as_markup() -> None:
    stream = Terminal()
    progress = RichProgress(stream, width=100)
    with progress.phase("search", epochs=1, steps=1):
        progress.say("note: [red]x[/red]")
        after = stream.getvalue().split("note: [red]x[/red]\n")[1]
        assert "epoch 1/1" in after
    progress.table("Result", ["network", "top-1"], [["found", "98.5%"]])
    assert "98.5%" in stream.getvalue()


def test_a_table_is_not_read_as_markup() -> None:
    stream = Terminal()
    RichProgress(stream, width=100).table("Result", ["network"], [["[red]cells[/blue].txt (given)"]])
    assert "[red]cells[/blue].txt (given)" in stream.getvalue()


def test_an_error_in_a_phase_comes_through_and_gives_the_terminal_back() -> None:
    stream = Terminal()
    progress = RichProgress(stream, width=100)
    with pytest.raises(KeyError), progress.phase("search", epochs=1, steps=1):
        raise KeyError
    assert stream.getvalue().rfind("\x1b[?25h") > stream.getvalue().rfind("\x1b[?25l")
    assert "took" not in stream.getvalue()


def test_a_silent_phase_never_asks_for_figures(capsys: pytest.CaptureFixture[str]) -> None:
    figures, progress = Figures(), SilentProgress()
    with progress.phase("search", epochs=1, steps=1) as phase:
        phase.step(0, 0, figures)
        phase.epoch(0, figures)
    progress.say("x")
    progress.table("x", ["a"], [["b"]])
    assert figures.asked == 0
    assert capsys.readouterr() == ("", "")


def test_the_kind_follows_from_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    assert isinstance(make_progress(Terminal()), RichProgress)
    assert isinstance(make_progress(io.StringIO()), PlainProgress)
    plain = Terminal()
    plain.encoding = "ascii"  # pyright: ignore[reportAttributeAccessIssue]
    assert isinstance(make_progress(plain), PlainProgress)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(make_progress(Terminal()), PlainProgress)


def test_standard_output_is_the_default(capsys: pytest.CaptureFixture[str]) -> None:
    progress: Progress = make_progress()
    progress.say("here")
    assert capsys.readouterr().out == "here\n"


def test_a_step_between_two_drawings_costs_under_20_microseconds() -> None:
    clock = Clock()
    with RichProgress(Terminal(), clock=clock, width=100).phase("search", epochs=1, steps=10_000) as phase:
        figures = Figures()
        began = time.perf_counter()
        for step in range(10_000):
            phase.step(0, step, figures)
        assert (time.perf_counter() - began) / 10_000 < 20e-6
        assert figures.asked == 0


def test_figures_and_times_are_written_for_people() -> None:
    assert shown_figures({"loss": 0.000123456, "weights_accuracy": 1.0}) == [
        "loss 0.0001235",
        "weights_accuracy 100.0%",
    ]
    assert [duration(s) for s in (0.4, 59.4, 59.6, 3599.4, 3600, 7500)] == [
        "0 s",
        "59 s",
        "1 min 00 s",
        "59 min 59 s",
        "1 h 00 min",
        "2 h 05 min",
    ]
