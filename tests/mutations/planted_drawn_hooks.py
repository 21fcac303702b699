"""Mistakes in how engines carry what hooks do: each gives a search that runs, and is another one."""

from __future__ import annotations

from tests.mutations.mutation import plant

CHANGES = "tests/nn/test_drawn_hooks.py::test_"
SAME = CHANGES + "hooks_come_to_the_plain_cells_numbers_in_float64"

CHANGES_ON_ENGINES = [
    plant(
        "what hooks draw is drawn in another order",
        "_in_order",
        "        for node in space.inner\n",
        "        for node in reversed(space.inner)\n",
        SAME,
    ),
    plant(
        "drop-path in float64 has factors of float32",
        "DropPath.drawn",
        "kind = torch.promote_types(like.dtype, torch.float32)",
        "kind = torch.float32",
        SAME,
    ),
    plant(
        "of two hooks the second comes first",
        "_both",
        "return lambda out: there[1](there[0](out))",
        "return lambda out: there[0](there[1](out))",
        "tests/search/test_hooks_wiring.py::test_noise_and_dropout_together_are_both_applied",
    ),
    plant(
        "the kernels leave a skip as it is",
        "Pass.compute_source",
        "state.x if change is None else state.changed[edge, i].view",
        "state.x",
        SAME,
    ),
    plant(
        "the kernels take a changed skip for the identity in the backward pass",
        "Backward._skips",
        "if (edge, i) in state.changed:",
        "if False:",
        SAME,
    ),
    plant(
        "the kernels leave a skip that halves the sides as it is",
        "NativeEngine.__call__",
        "changes.outputs.get((e, i), _as_it_is)(",
        "_as_it_is(",
        SAME,
    ),
    plant(
        "the kernels take on a changed convolution",
        "NativeEngine.can_run",
        "and changes.primitives <= {SKIP}",
        "and True",
        CHANGES + "hooks_that_change_convolutions_are_carried_by_the_grouped_cells",
    ),
    plant(
        "the kernels drop an edge twice where a convolution has two stages",
        "Backward._convolutions",
        "samples[: len(two_stage)] = 1.0",
        "pass",
        SAME,
    ),
    plant(
        "the kernels sum a dropped edge's gradient whole",
        "Backward._dots",
        "                channels,\n                self._samples(edge),",
        "                channels,\n                None,",
        SAME,
    ),
    plant(
        "grouped cells drop the mixed channels of an edge and let the others pass",
        "Plan.weights",
        "edges = [s if e is None else e * s for",
        "edges = [e for",
        SAME,
    ),
    plant(
        "grouped cells change nothing",
        "GroupedEngine._terms",
        "others.append(module(share) if change is None else change(module(share)))",
        "others.append(module(share))",
        SAME,
    ),
    plant(
        "a function is compiled in parts, so that one that fails has begun already",
        "Compiled.__init__",
        "fullgraph=True, ",
        "",
        "tests/search/test_compiled.py::test_what_can_be_compiled_in_part_alone_runs_as_it_is_and_records_once",
    ),
    plant(
        "grouped cells are planned while they are compiled",
        "SupernetPasses.__init__",
        "            supernet.prepare()\n",
        "",
        "tests/search/test_compiled.py::test_a_compiled_search_ends_where_an_uncompiled_one_ends",
    ),
    plant(
        "each draw is compiled anew",
        "SupernetPasses.__init__",
        "if compute.compiles_searches and not recipe.draws_in_passes:",
        "if compute.compiles_searches:",
        "tests/search/test_compiled.py::test_a_search_that_draws_in_its_passes_is_not_compiled",
    ),
]
