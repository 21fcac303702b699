"""Mistakes in grouped cells: each gives a supernet that trains, and is another."""

from __future__ import annotations

from tests.mutations.mutation import Edit, Mutation, plant

GROUPED = "tests/nn/test_grouped.py::test_"
SAME = GROUPED + "logits_gradients_and_statistics_are_those_of_the_plain_supernet_in_two_steps"

GROUPED_CELLS = [
    plant(
        "grouped cells skip the channel shuffle",
        "_Sum.value",
        "torch.cat([mixed.unsqueeze(2), passed], dim=2)",
        "torch.cat([mixed.unsqueeze(1), passed.transpose(1, 2)], dim=1)",
        f"{SAME}[apart-nb201-4]",
    ),
    plant(
        "grouped cells give a term the weight of another edge",
        "plan_cell",
        "start + out.index(edge) * len(columns) + column",
        "start + (len(out) - 1 - out.index(edge)) * len(columns) + column",
        f"{SAME}[apart-nb201-1]",
    ),
    plant(
        "grouped cells lose beta's gradient through mixed operations",
        "Plan.weights",
        "mixture * edge_weights.unsqueeze(1)",
        "mixture * edge_weights.detach().unsqueeze(1)",
        f"{SAME}[apart-nb201-4]",
    ),
    plant(
        "grouped cells give the passing channels the weights of other edges",
        "Plan.weights",
        "edge_weights.index_select(0, self.order).split(",
        "edge_weights.split(",
        f"{SAME}[apart-darts-4]",
    ),
    Mutation(
        "grouped pools record statistics for their first edge alone",
        (
            Edit(
                "Norms.__call__",
                "first + i % blocks for i in range(len(norms))",
                "first + i for i in range(blocks)",
            ),
            Edit("Norms.__call__", "self._used += norms", "self._used += norms[:blocks]"),
        ),
        f"{SAME}[apart-darts-1]",
    ),
    plant(
        "grouped cells record statistics in frozen passes",
        "Norms.__init__",
        "training and bool(known) and known[0].track_running_stats",
        "training and bool(known)",
        GROUPED + "within_frozen_statistics_nothing_is_recorded",
    ),
    plant(
        "grouped cells compute what was not drawn",
        "_computed",
        "if i != mixed.none_index and (active is None or active[i])",
        "if i != mixed.none_index",
        GROUPED + "what_was_not_drawn_is_not_computed",
    ),
    plant(
        "grouped cells round the mixture to half precision",
        "weigh",
        "parts = [high, (weights - high).to(terms.dtype)]",
        "parts = [high]",
        GROUPED + "half_precision_does_not_round_the_weights_of_terms",
    ),
    plant(
        "grouped cells ignore hooks",
        "draw_changes",
        "        return None\n",
        "        return NO_CHANGES\n",
        GROUPED + "hooks_see_every_output_whatever_the_engine",
    ),
    plant(
        "grouped cells wait for the device",
        "GroupedEngine.__call__",
        "norms.record()",
        "norms.record()\n        assert float(mixture.weights.sum()) > 0.0",
        "tests/search/test_engines.py::test_a_step_reads_no_number_back_from_the_device[nb201-darts-v1]",
    ),
]
