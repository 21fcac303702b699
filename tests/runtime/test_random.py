"""Named random streams: independent of each other, and back where they were after loading."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edgewise.runtime.random import Streams, seeded

NAMES = st.text(max_size=12)


def draw(streams: Streams, name: str, count: int = 4) -> list[float]:
    return torch.rand(count, generator=streams.generator(name)).tolist()


def test_a_stream_is_made_once_and_goes_on():
    streams = Streams(3)
    assert streams.generator("arch") is streams.generator("arch")
    assert draw(streams, "arch") != draw(streams, "arch")


@settings(deadline=None)
@given(st.integers(-(2**70), 2**70), NAMES)
def test_the_same_seed_and_name_draw_the_same_numbers(seed, name):
    assert draw(Streams(seed), name) == draw(Streams(seed), name)
    assert 0 <= Streams(seed).integer(name) < 2**63


@settings(deadline=None)
@given(st.integers(0, 1000), st.lists(NAMES, min_size=2, max_size=2, unique=True))
def test_another_name_or_seed_draws_other_numbers(seed, names):
    first, second = names
    streams = Streams(seed)
    assert draw(streams, first) != draw(streams, second)
    assert draw(Streams(seed + 1), first) != draw(Streams(seed), first)
    assert streams.integer(first) != streams.integer(second)


def test_seed_and_name_do_not_run_into_each_other():
    assert Streams(1).integer("2/x") != Streams(12).integer("/x")
    assert Streams(1).integer("1") != Streams(11).integer("")


@settings(deadline=None)
@given(st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=20))
def test_what_a_stream_draws_does_not_depend_on_who_else_draws_and_when(order):
    streams, alone = Streams(5), {name: Streams(5) for name in "abcd"}
    for name in order:
        assert draw(streams, name, 2) == draw(alone[name], name, 2)


def test_the_global_stream_is_neither_moved_nor_heard():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first = draw(Streams(1), "noise")
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(77)
    assert draw(Streams(1), "noise") == first


def test_loading_puts_back_every_stream_that_was_used():
    streams = Streams(2)
    draw(streams, "a"), draw(streams, "b", 7)
    state = streams.state_dict()
    assert set(state) == {"a", "b"}
    expected = [draw(streams, "a"), draw(streams, "b")]
    streams.load_state_dict(state)
    assert [draw(streams, "a"), draw(streams, "b")] == expected


def test_whoever_holds_a_generator_sees_it_move():
    streams = Streams(2)
    held = streams.generator("a")
    state = streams.state_dict()
    first = torch.rand(3, generator=held)
    streams.load_state_dict(state)
    assert streams.generator("a") is held
    assert torch.equal(torch.rand(3, generator=held), first)


def test_a_stream_first_asked_for_after_loading_continues_where_it_was():
    saved = Streams(2)
    draw(saved, "a"), draw(saved, "late", 9)
    state = saved.state_dict()
    resumed = Streams(2)
    resumed.generator("a")
    resumed.load_state_dict(state)
    assert draw(resumed, "late") == draw(saved, "late")
    assert draw(resumed, "a") == draw(saved, "a")
    # And then it is a stream as any other: it does not jump back.
    assert draw(resumed, "late") == draw(saved, "late")


def test_a_stream_that_nobody_asked_for_after_loading_is_saved_again():
    saved = Streams(2)
    draw(saved, "late", 9)
    between = Streams(2)
    between.load_state_dict(saved.state_dict())
    assert set(between.state_dict()) == {"late"}
    last = Streams(2)
    last.load_state_dict(between.state_dict())
    assert draw(last, "late") == draw(saved, "late")


def test_of_two_loaded_states_the_second_counts():
    early, late = Streams(2), Streams(2)
    draw(early, "a"), draw(late, "a", 8)
    resumed = Streams(2)
    resumed.load_state_dict(early.state_dict())
    resumed.load_state_dict(late.state_dict())
    assert draw(resumed, "a") == draw(late, "a")


def test_a_stream_that_the_state_does_not_name_stays_where_it_is():
    streams, other = Streams(2), Streams(2)
    draw(other, "b")
    draw(streams, "a")
    streams.load_state_dict(other.state_dict())
    twin = Streams(2)
    draw(twin, "a")
    assert draw(streams, "a") == draw(twin, "a")


def test_drawing_on_does_not_change_a_state_that_was_taken():
    streams = Streams(2)
    draw(streams, "a")
    state = streams.state_dict()
    copy = {name: value.clone() for name, value in state.items()}
    draw(streams, "a")
    assert all(torch.equal(state[name], value) for name, value in copy.items())


@settings(deadline=None, max_examples=50)
@given(st.lists(st.sampled_from("abc"), max_size=12), st.integers(0, 12), st.sets(st.sampled_from("abc")))
def test_a_run_that_is_cut_anywhere_draws_as_the_uninterrupted_one(order, cut, early):
    whole = Streams(4)
    expected = [draw(whole, name, 3) for name in order]
    first = Streams(4)
    found = [draw(first, name, 3) for name in order[:cut]]
    second = Streams(4)
    for name in sorted(early):
        second.generator(name)
    second.load_state_dict(first.state_dict())
    found += [draw(second, name, 3) for name in order[cut:]]
    assert found == expected


def test_the_state_is_read_by_torch_without_running_code(tmp_path):
    streams = Streams(2)
    draw(streams, "a")
    torch.save(streams.state_dict(), tmp_path / "state.pt")
    resumed = Streams(2)
    resumed.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert draw(resumed, "a") == draw(streams, "a")


def test_streams_alone_import_no_torch():
    script = (
        "import sys\n"
        "from edgewise.runtime.random import Streams\n"
        "Streams(1).integer('a')\n"
        "print('torch' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("name", ["arch", "relaxation", "noise"])
def test_generators_live_on_the_cpu_unless_asked_for_elsewhere(name):
    assert Streams(0).generator(name).device.type == "cpu"


def test_the_same_seed_draws_the_same_numbers_and_another_seed_others() -> None:
    drawn = []
    for seed in (5, 5, 6):
        with seeded(seed):
            drawn.append(torch.rand(4))
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_the_global_stream_is_where_it_was_before_the_block() -> None:
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    with seeded(2):
        torch.rand(7)
    assert torch.equal(torch.rand(3), expected)


def test_the_global_stream_is_where_it_was_when_the_block_fails() -> None:
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    with pytest.raises(RuntimeError), seeded(2):
        torch.rand(7).view(8)
    assert torch.equal(torch.rand(3), expected)
