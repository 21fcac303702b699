"""Mistakes in what saves memory: each run ends, with other numbers than it should."""

from __future__ import annotations

from tests.mutations.mutation import plant

RECOMPUTE = "tests/nn/test_activation_checkpointing.py::test_"
STREAMED = "tests/data/test_streamed.py::test_"

MEMORY = [
    plant(
        "recomputing records the statistics of batch norms twice",
        "_Call.again",
        "name: buffer.clone() for",
        "name: buffer for",
        RECOMPUTE + "loss_gradients_and_running_statistics_are_those_of_normal_memory_bit_for_bit",
    ),
    plant(
        "recomputing draws anew",
        "_PassState.put",
        "            generator.set_state(state)",
        "            pass",
        RECOMPUTE + "hooks_that_say_what_they_draw_from_draw_the_same_and_once",
    ),
    plant(
        "recomputing takes the network's weights for those of the pass",
        "_Call.again",
        "state = dict(zip(self.weights, tensors[count:], strict=True))",
        "state = dict(self.bound.named_parameters())",
        RECOMPUTE + "weights_that_are_given_for_one_pass_are_those_of_the_second_time_too",
    ),
    plant(
        "recomputing forgets that the pass was one of evaluation",
        "_PassState.put",
        "        owner.train(self.training)",
        "        pass",
        RECOMPUTE + "a_pass_in_evaluation_mode_is_repeated_in_evaluation_mode",
    ),
    plant(
        "the memory-saving convolution forgets the ReLU on the way back",
        "_ReluConv.backward",
        "torch.ops.aten.threshold_backward(before.to(x.dtype), active, 0)",
        "before.to(x.dtype)",
        "tests/nn/test_memory_saving.py",
    ),
    plant(
        "streaming ignores the permutation",
        "StreamedPixels._rows_at",
        "return self.rows[index if isinstance(index, slice) else index.cpu()]",
        "return self.rows[index if isinstance(index, slice) else index.cpu().sort().values]",
        STREAMED + "batches_are_the_same_over_more_than_a_pass",
    ),
    plant(
        "streaming gives the images that were announced before a resume",
        "StreamedPixels.__getitem__",
        "parts = self._begin(rows) if coming is None else coming",
        "parts = self._begin(rows) if not self._coming else self._coming.popitem()[1]",
        STREAMED + "batches_are_the_same_over_more_than_a_pass",
    ),
    plant(
        "the largest batch leaves out what does not grow with it",
        "MemoryEstimate.largest",
        "int(self.batch + (MARGIN * self.room - self.peak) / self.slope)",
        "int(MARGIN * self.room / self.slope)",
        "tests/pipeline/test_fit.py::test_the_largest_batch_leaves_a_tenth_of_the_room_free",
    ),
]
