"""Mistakes in what saves memory: each run ends, with other numbers than it should."""

from __future__ import annotations

from tests.mutations.mutation import plant

RECOMPUTE = "tests/nn/test_recompute.py::test_"
STREAMED = "tests/data/test_streamed.py::test_"

MEMORY = [
    plant(
        "recomputing records the statistics of batch norms twice",
        "nn/recompute.py",
        "name: buffer.clone() for",
        "name: buffer for",
        RECOMPUTE + "loss_gradients_and_running_statistics_are_those_of_normal_memory_bit_for_bit",
    ),
    plant(
        "recomputing draws anew",
        "nn/recompute.py",
        "            generator.set_state(state)",
        "            pass",
        RECOMPUTE + "hooks_that_say_what_they_draw_from_draw_the_same_and_once",
    ),
    plant(
        "recomputing takes the network's weights for those of the pass",
        "nn/recompute.py",
        "state = dict(zip(self.weights, tensors[count:], strict=True))",
        "state = dict(self.bound.named_parameters())",
        RECOMPUTE + "weights_that_are_given_for_one_pass_are_those_of_the_second_time_too",
    ),
    plant(
        "recomputing forgets that the pass was one of evaluation",
        "nn/recompute.py",
        "        owner.train(self.training)",
        "        pass",
        RECOMPUTE + "a_pass_in_evaluation_mode_is_repeated_in_evaluation_mode",
    ),
    plant(
        "the lean convolution forgets the ReLU on the way back",
        "nn/lean.py",
        "torch.ops.aten.threshold_backward(before.to(x.dtype), active, 0)",
        "before.to(x.dtype)",
        "tests/nn/test_lean.py",
    ),
    plant(
        "streaming ignores the permutation",
        "data/streamed.py",
        "return self.rows[index if isinstance(index, slice) else index.cpu()]",
        "return self.rows[index if isinstance(index, slice) else index.cpu().sort().values]",
        STREAMED + "batches_are_the_same_over_more_than_a_pass",
    ),
    plant(
        "streaming gives the images that were announced before a resume",
        "data/streamed.py",
        "parts = self._begin(rows) if coming is None else coming",
        "parts = self._begin(rows) if not self._coming else self._coming.popitem()[1]",
        STREAMED + "batches_are_the_same_over_more_than_a_pass",
    ),
    plant(
        "the largest batch leaves out what does not grow with it",
        "pipeline/fit.py",
        "int(self.batch + (MARGIN * self.room - self.peak) / self.slope)",
        "int(MARGIN * self.room / self.slope)",
        "tests/pipeline/test_fit.py::test_the_largest_batch_leaves_a_tenth_of_the_room_free",
    ),
]
