"""Mistakes in how engines carry what hooks do: each gives a search that runs, and is another one."""

from __future__ import annotations

from tests.mutations.mutation import plant

CHANGES = "tests/nn/test_changes.py::test_"
SAME = CHANGES + "hooks_come_to_the_plain_cells_numbers_in_float64"

CHANGES_ON_ENGINES = [
    plant(
        "what hooks draw is drawn in another order",
        "nn/changes.py",
        "        for node in space.inner\n",
        "        for node in reversed(space.inner)\n",
        SAME,
    ),
    plant(
        "drop-path draws where it drops nothing",
        "nn/changes.py",
        "if edge is not None and edge.probability > 0.0:",
        "if edge is not None:",
        CHANGES + "drop_path_of_probability_0_draws_nothing_and_changes_nothing",
    ),
    plant(
        "drop-path in float64 has factors of float32",
        "nn/drop_path.py",
        "kind = torch.promote_types(like.dtype, torch.float32)",
        "kind = torch.float32",
        SAME,
    ),
    plant(
        "of two hooks the second comes first",
        "nn/hooks.py",
        "return lambda out: there[1](there[0](out))",
        "return lambda out: there[0](there[1](out))",
        SAME,
    ),
    plant(
        "the kernels leave a skip as it is",
        "nn/native/cell.py",
        "made.x if change is None else made.changed[edge, i].view",
        "made.x",
        SAME,
    ),
    plant(
        "the kernels take a changed skip for the identity in the backward pass",
        "nn/native/back.py",
        "if (edge, i) in made.changed:",
        "if False:",
        SAME,
    ),
    plant(
        "the kernels leave a skip that halves the sides as it is",
        "nn/native/engine.py",
        "changes.outputs.get((e, i), _as_it_is)(",
        "_as_it_is(",
        SAME,
    ),
    plant(
        "the kernels take on a changed convolution",
        "nn/native/engine.py",
        "and changes.primitives <= {SKIP}",
        "and True",
        CHANGES + "hooks_that_change_convolutions_are_carried_by_the_grouped_cells",
    ),
    plant(
        "the kernels drop an edge twice where a convolution has two stages",
        "nn/native/back.py",
        "samples[: len(doubles)] = 1.0",
        "pass",
        SAME,
    ),
    plant(
        "the kernels sum a dropped edge's gradient whole",
        "nn/native/back.py",
        "                channels,\n                self._samples(edge),",
        "                channels,\n                None,",
        SAME,
    ),
    plant(
        "grouped cells drop the mixed channels of an edge and let the others pass",
        "nn/grouped/plan.py",
        "edges = [s if e is None else e * s for",
        "edges = [e for",
        SAME,
    ),
    plant(
        "grouped cells change nothing",
        "nn/grouped/cell.py",
        "others.append(module(share) if change is None else change(module(share)))",
        "others.append(module(share))",
        SAME,
    ),
]
