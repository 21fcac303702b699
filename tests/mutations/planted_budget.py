"""Planted mistakes in what fits a network to limits: the memory of its activations, their order, the width."""

from __future__ import annotations

from tests.mutations.mutation import plant

ACTIVATIONS = "tests/nn/test_activations.py::test_"
ORDER = "tests/nn/test_step_order.py::test_"
FIT = "tests/nn/test_fit.py::test_"

BUDGET = [
    plant(
        "a tensor that is read later is forgotten after its first reader",
        "nn/activations.py",
        "                last[buffer] = at\n",
        "                last[buffer] = at if last[buffer] < 0 else last[buffer]\n",
        ACTIVATIONS + "a_tensor_that_is_read_much_later_is_alive_in_between",
    ),
    plant(
        "the peak leaves out the buffer that a step writes",
        "nn/activations.py",
        "            alive += self.sizes[step.writes]\n            most = max(most, alive)\n",
        "            most = max(most, alive)\n            alive += self.sizes[step.writes]\n",
        ACTIVATIONS + "at_a_concatenation_the_parts_and_the_whole_are_alive",
    ),
    plant(
        "a batch norm is folded into a pool",
        "nn/activations.py",
        '_LINEAR = frozenset(("convolution", ',
        '_LINEAR = frozenset(("max_pool2d_with_indices", "avg_pool2d", "convolution", ',
        ACTIVATIONS + "a_batch_norm_behind_what_has_no_weights_is_an_operation_of_its_own",
    ),
    plant(
        "a ReLU overwrites what others still read",
        "nn/activations.py",
        "alone = readers[source] == 1 and source != 0",
        "alone = source != 0",
        ACTIVATIONS + "a_relu_whose_input_others_read_too_is_not_fused",
    ),
    plant(
        "what an exported graph computes once is computed and given back twice",
        "nn/activations.py",
        "if call is not None and call in self._made:",
        "if False:",
        ACTIVATIONS + "what_is_computed_twice_from_the_same_is_one_operation_whose_result_is_kept",
    ),
    plant(
        "operations on the same values with other weights are taken for one",
        "nn/activations.py",
        'return ("weights", id(value)) if number is None',
        'return ("weights", value.shape) if number is None',
        ACTIVATIONS + "operations_with_other_weights_other_settings_or_draws_are_never_one",
    ),
    plant(
        "the auxiliary head is counted among the activations",
        "nn/ghost.py",
        '        ghost.register_module("auxiliary", None)\n',
        "        pass\n",
        ACTIVATIONS + "the_auxiliary_head_is_left_out",
    ),
    plant(
        "the best order is that of the graph, whatever its peak",
        "nn/step_order.py",
        "min((own, beam[0].order), key=graph.peak)",
        "own",
        ORDER + "the_order_found_is_the_best_of_all_in_nearly_all_small_graphs",
    ),
    plant(
        "the search for an order does not look at the peak",
        "nn/step_order.py",
        "        peak = max(partial.peak, alive)\n",
        "        peak = partial.peak\n",
        ORDER + "the_order_found_is_the_best_of_all_in_nearly_all_small_graphs",
    ),
    plant(
        "an order is taken that needs more than the graph's own",
        "nn/step_order.py",
        "min((own, beam[0].order), key=graph.peak)",
        "beam[0].order if own else own",
        ORDER + "the_order_found_is_one_of_all_orders_and_never_needs_more_than_the_graphs_own",
    ),
    plant(
        "the width is rounded up above the limit",
        "nn/fit.py",
        "return None if low < least else low",
        "return None if low < least else low + 1",
        FIT + "the_fitted_network_meets_all_limits_and_the_next_width_breaks_one[nb201]",
    ),
]
