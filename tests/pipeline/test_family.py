"""Runs of the family through the pipeline: interrupted ones end as those that nothing stopped."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgewise.pipeline import Settings, resume, start
from tests.pipeline.small import EarlyStopping, one_thread, options, small, trace

FILES = ("genotype.json", "supernet.safetensors", "recipe.toml", "trace.jsonl")
SETTINGS = {
    "p-darts": (
        "search.epochs=6",
        "search.channels=4",
        "stages.add_layers=[0,1,2]",
        "skip_dropout.rates=[0.1,0.4,0.7]",
    ),
    "r-darts-ada": (
        "space=s2",
        "search.epochs=4",
        "search.channels=4",
        "stop.every=1",
        "stop.window=1",
        "stop.delta=1",
        "stop.factor=0.001",
        "stop.start=1",
        "adaptation.most=0.003",
    ),
    "r-darts-es": (
        "space=s2",
        "search.epochs=5",
        "search.channels=4",
        "stop.every=1",
        "stop.window=1",
        "stop.delta=1",
        "stop.factor=0.001",
        "stop.start=1",
    ),
}
# Within a stage and at its end; before the roll-back and after it; just before the stop.
CRASHES = {
    "p-darts": [(1, 2), (3, 1)],
    "r-darts-ada": [(2, 1), (3, 1)],
    "r-darts-es": [(2, 2)],
}


class Crash(Exception):
    """Ends a run as a power cut does."""


def settings(recipe: str) -> Settings:
    return small(*SETTINGS[recipe], recipe=recipe)


def crash_at(epoch: int, step: int) -> EarlyStopping:
    def step_done(*now: object) -> None:
        if now == ("search", epoch, step):
            raise Crash

    return EarlyStopping(step=step_done)


def crashed(recipe: str, folder: Path) -> None:
    """A search that crashed at each of its moments, with a checkpoint after every step."""
    moments = CRASHES[recipe]
    with pytest.raises(Crash):
        start(
            settings(recipe),
            folder,
            options=options(checkpoint_seconds=0.0),
            command="search",
            progress=crash_at(*moments[0]),
        )
    for moment in moments[1:]:
        with pytest.raises(Crash):
            resume(folder, progress=crash_at(*moment))
    resume(folder)


@pytest.mark.slow
@pytest.mark.parametrize("recipe", list(SETTINGS))
def test_a_search_of_the_family_that_crashed_ends_as_the_one_that_never_did(recipe: str, tmp_path: Path) -> None:
    with one_thread():
        watch = EarlyStopping()
        start(settings(recipe), tmp_path / "whole", options=options(), command="search", progress=watch)
        crashed(recipe, tmp_path / "crashed")
    different = [
        name
        for name in FILES
        if (tmp_path / "whole" / name).read_bytes() != (tmp_path / "crashed" / name).read_bytes()
    ]
    assert different == []
    records = trace(tmp_path / "whole", "search")
    actions = [record["decision"] and record["decision"]["action"] for record in records]
    expected = {
        "p-darts": [None] * 6,
        "r-darts-ada": [None, None, "roll back", None, None],
        "r-darts-es": [None, None, "stop"],
    }
    assert actions == expected[recipe]
    assert any("stopped after epoch 3 with the cells of epoch 2" in line for line in watch.lines) is (
        recipe == "r-darts-es"
    )
    if recipe == "p-darts":
        assert [record["stage"] for record in records] == [0, 0, 1, 1, 2, 2]
