"""The largest numbers that settings may be: beyond any use, and small enough to count and compute with."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Le, MaxLen

MOST_EPOCHS = 1_000_000
MOST_IMAGES = 1_000_000_000
MOST_BATCH = 1_000_000
MOST_CHANNELS = 16_384
MOST_LAYERS = 250
MOST_PIXELS = 16_384
MOST_TIMES = 10_000
MOST_CANDIDATES = 1_000
MOST_QUERIES = 10_000_000
MOST_RUNS = 100_000
MOST_WORKERS = 1_024
MOST_SEED = 2**63 - 1

Epochs = Annotated[int, Ge(1), Le(MOST_EPOCHS)]
EpochsOrNone = Annotated[int, Ge(0), Le(MOST_EPOCHS)]
"""A number of epochs that may be 0."""
Images = Annotated[int, Ge(1), Le(MOST_IMAGES)]
BatchSize = Annotated[int, Ge(2), Le(MOST_BATCH)]
"""Images of a training step: batch norm needs two."""
Channels = Annotated[int, Ge(1), Le(MOST_CHANNELS)]
Layers = Annotated[int, Ge(3), Le(MOST_LAYERS)]
"""Cells of a network: two reduction cells and a normal one at least."""
Pixels = Annotated[int, Ge(0), Le(MOST_PIXELS)]
Times = Annotated[int, Ge(1), Le(MOST_TIMES)]
"""How often something small is done: steps, passes, members of a batch or population, units of a layer."""
TimesOrNone = Annotated[int, Ge(0), Le(MOST_TIMES)]
Candidates = Annotated[int, Ge(0), Le(MOST_CANDIDATES)]
"""How many networks of a kind take part in a selection; may be 0."""
Queries = Annotated[int, Ge(1), Le(MOST_QUERIES)]
Seed = Annotated[int, Ge(-MOST_SEED), Le(MOST_SEED)]
Few = MaxLen(100)
"""For sequences of which nobody needs many, such as the stages of a search."""
