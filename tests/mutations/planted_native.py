"""Mistakes in how the kernels of mixed cells are used: each gives a supernet that trains, and is another."""

from __future__ import annotations

from tests.mutations.mutation import plant

NATIVE = "tests/nn/test_native.py::test_"
SAME = NATIVE + "logits_gradients_and_statistics_are_those_of_the_plain_supernet"

NATIVE_KERNELS = [
    plant(
        "the kernels skip the channel shuffle",
        "nn/native/addends.py",
        "np.arange(self.share, dtype=np.int64) * self.k",
        "np.arange(self.share, dtype=np.int64)",
        SAME,
    ),
    plant(
        "the kernels take batch statistics for constants in the backward pass",
        "nn/native/back.py",
        "b = -a * norms.rstd * sums.normed(norms) / self.count",
        "b = np.zeros_like(a)",
        SAME,
    ),
    plant(
        "the kernels lose the gradient of beta",
        "nn/native/back.py",
        "self.gradients.edges[edge] += whole * self.coefficients.mixture[edge, term.primitive]",
        "pass",
        SAME,
    ),
    plant(
        "the kernels record statistics in frozen passes",
        "nn/native/engine.py",
        "record=training and all(norm.track_running_stats for norm in islice(norms, 1)),",
        "record=training,",
        NATIVE + "within_frozen_statistics_nothing_is_recorded",
    ),
    plant(
        "the kernels use the batch's statistics in evaluation",
        "nn/native/engine.py",
        "        training=training,",
        "        training=True,",
        NATIVE + "in_evaluation_mode_the_running_statistics_count_and_stay",
    ),
    plant(
        "the kernels can be differentiated twice, wrongly",
        "nn/native/function.py",
        "if torch.is_grad_enabled():",
        "if False:",
        NATIVE + "a_second_derivative_is_refused_instead_of_wrong",
    ),
]
