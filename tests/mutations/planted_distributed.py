"""Planted mistakes where several processes share a search: each runs, and each process by itself looks healthy."""

from __future__ import annotations

from tests.mutations.mutation import Edit, Mutation, plant

SHARED = "tests/search/test_distributed.py::test_"
STEPS = SHARED + "some_steps_of_two_processes_are_those_of_one[short-pc-darts-gp]"

DISTRIBUTED = [
    Mutation(
        "processes average what each has projected",
        (
            Edit(
                "BilevelSearch.arch_step",
                "self.recipe.gradient.gradient(problem), problem, self.compute.processes",
                "self.recipe.gradient.gradient(problem), problem, type(self.compute.processes)()",
            ),
            Edit(
                "BilevelSearch._set_gradients",
                "rows = self.projector(rows, self._projector_stream)",
                "rows = torch.stack("
                "self.compute.processes.average(list(self.projector(rows, self._projector_stream))))",
            ),
            Edit(
                "BilevelSearch._set_gradients",
                "parameter.grad = value",
                "parameter.grad = self.compute.processes.average([value])[0]",
            ),
        ),
        SHARED + "what_is_projected_is_the_mean_over_both_processes[short-pc-darts-gp]",
    ),
    plant(
        "batch norms know the images of one process",
        "SynchronisedBatchNorm2d.forward",
        "if not (self.training and self.processes.several):",
        "if True:",
        SHARED + "a_synchronised_batch_norm_and_both_its_derivatives_are_the_whole_batchs",
    ),
    plant(
        "every process has random streams of its own",
        "Streams.integer",
        'f"{self.seed}/{name}".encode()',
        "f\"{self.seed}/{name}/{__import__('os').environ.get('RANK', 0)}\".encode()",
        STEPS,
    ),
    plant(
        "every process draws for its own images alone",
        "Processes.drawn",
        "return draw((total, *shape[1:]))[self.rows(total)]",
        "return draw(shape)",
        "tests/runtime/test_distributed.py::test_"
        "draws_of_all_processes_are_those_of_one_and_leave_the_stream_where_one_leaves_it",
    ),
    plant(
        "a smaller part of a batch counts as much as a larger one",
        "TrainTask._step",
        "self.compute.backward(total * weight)",
        "self.compute.backward(total)",
        SHARED + "some_steps_of_two_processes_are_those_of_one[short-training]",
    ),
    plant(
        "grouped cells of several processes normalise by their own images",
        "Norms._normalise",
        "if self._processes.several:",
        "if False:",
        STEPS,
    ),
    plant(
        "grouped cells of several processes record nothing",
        "Norms._normalise",
        "place.copy_(value)",
        "pass",
        STEPS,
    ),
    plant(
        "grouped cells exchange once for each kind of operation",
        "run_branches",
        "normed = norms([(x, [b.stages[stage].norm for b in members]) for x, members in pieces])",
        "normed = [norms([(x, [b.stages[stage].norm for b in members])])[0] for x, members in pieces]",
        "tests/nn/test_synchronised.py::test_a_grouped_cell_exchanges_three_times_for_each_state[False]",
    ),
    plant(
        "the gradient of batch norms of several processes is that of fixed statistics",
        "_backward",
        "(g - shift[:, None, None] - n * tilt[:, None, None])",
        "(g - shift[:, None, None])",
        "tests/nn/test_synchronised.py::test_a_tensor_that_needs_no_gradient_gets_none_and_the_others_theirs",
    ),
]
