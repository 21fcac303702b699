"""Planted mistakes in what fits a network to limits: the memory of its activations, their order, the width."""

from __future__ import annotations

from tests.mutations.mutation import plant

ACTIVATIONS = "tests/nn/test_activations.py::test_"
ORDER = "tests/nn/test_step_order.py::test_"
FIT = "tests/nn/test_fit.py::test_"
RUN = "tests/pipeline/test_budgets.py::test_"
SIZING = "tests/pipeline/test_sizing.py::test_"
BUDGET_TESTS = "tests/budget/test_budget.py::test_"
AMOUNTS = "tests/budget/test_amounts.py::test_"
EXPORT = "tests/export/test_measured.py::test_"

BUDGET = [
    plant(
        "a tensor that is read later is forgotten after its first reader",
        "Graph._last_reads",
        "                last[buffer] = at\n",
        "                last[buffer] = at if last[buffer] < 0 else last[buffer]\n",
        ACTIVATIONS + "a_tensor_that_is_read_much_later_is_alive_in_between",
    ),
    plant(
        "the peak leaves out the buffer that a step writes",
        "Graph.peak",
        "            alive += self.sizes[step.writes]\n            most = max(most, alive)\n",
        "            most = max(most, alive)\n            alive += self.sizes[step.writes]\n",
        ACTIVATIONS + "at_a_concatenation_the_parts_and_the_whole_are_alive",
    ),
    plant(
        "a batch norm is folded into a pool",
        "_LINEAR",
        '_LINEAR = frozenset(("convolution", ',
        '_LINEAR = frozenset(("max_pool2d_with_indices", "avg_pool2d", "convolution", ',
        ACTIVATIONS + "a_batch_norm_behind_what_has_no_weights_is_an_operation_of_its_own",
    ),
    plant(
        "a ReLU overwrites what others still read",
        "_fused",
        "alone = readers[source] == 1 and source != 0",
        "alone = source != 0",
        ACTIVATIONS + "a_relu_whose_input_others_read_too_is_not_fused",
    ),
    plant(
        "what an exported graph computes once is computed and given back twice",
        "_Recorder.__torch_dispatch__",
        "if call is not None and call in self._made:",
        "if False:",
        ACTIVATIONS + "what_is_computed_twice_from_the_same_is_one_operation_whose_result_is_kept",
    ),
    plant(
        "operations on the same values with other weights are taken for one",
        "_Recorder._comparable",
        'return ("weights", id(value)) if number is None',
        'return ("weights", value.shape) if number is None',
        ACTIVATIONS + "operations_with_other_weights_other_settings_or_draws_are_never_one",
    ),
    plant(
        "the auxiliary head is counted among the activations",
        "ghost_of",
        '        ghost.register_module("auxiliary", None)\n',
        "        pass\n",
        ACTIVATIONS + "the_auxiliary_head_is_left_out",
    ),
    plant(
        "the best order is that of the graph, whatever its peak",
        "best_order",
        "min((own, beam[0].order), key=graph.peak)",
        "own",
        ORDER + "the_order_found_is_the_best_of_all_in_nearly_all_small_graphs",
    ),
    plant(
        "the search for an order does not look at the peak",
        "_longer",
        "        peak = max(partial.peak, alive)\n",
        "        peak = partial.peak\n",
        ORDER + "the_order_found_is_the_best_of_all_in_nearly_all_small_graphs",
    ),
    plant(
        "an order is taken that needs more than the graph's own",
        "best_order",
        "min((own, beam[0].order), key=graph.peak)",
        "beam[0].order if own else own",
        ORDER + "the_order_found_is_one_of_all_orders_and_never_needs_more_than_the_graphs_own",
    ),
    plant(
        "the width is rounded up above the limit",
        "largest_width",
        "return None if low < least else low",
        "return None if low < least else low + 1",
        FIT + "the_fitted_network_meets_all_limits_and_the_next_width_breaks_one[nb201]",
    ),
    plant(
        "the budget counts the auxiliary head",
        "count_inference_params",
        "return count_params(network) - (0 if head is None else count_params(head))",
        "return count_params(network)",
        FIT + "the_weights_of_an_auxiliary_head_do_not_count",
    ),
    plant(
        "the random network gets another budget than the found one",
        "size_phase:_size",
        "    return sizing.cells(cells_of(",
        "    sizing = sizing if name == 'found' else Sizing(sizing.budget, {'params': 1e6}, sizing.subject)\n"
        "    return sizing.cells(cells_of(",
        RUN + "every_network_of_a_run_keeps_to_the_same_limits",
    ),
    plant(
        "int8 counts four bytes a value",
        "Budget.element_bytes",
        "return 1 if self.int8 else 4",
        "return 4",
        SIZING + "int8_counts_a_byte_a_value",
    ),
    plant(
        "what stays with program and stack is given to the network",
        "Device.limits",
        '"ram": self.ram - self.reserve_ram',
        '"ram": self.ram',
        BUDGET_TESTS + "a_device_sets_ram_size_and_multiply_adds_below_what_its_maker_states",
    ),
    plant(
        "a limit on the exported file is checked on what was expected of it",
        "_Fit._share",
        "return max(exact, *shares_of(self._exports[channels, layers], limits).values())",
        "return exact",
        SIZING + "measured_limits_are_met_by_what_was_exported_and_the_next_width_breaks_one",
    ),
    plant(
        "a limit is rounded up to what an ambiguous unit may mean",
        "read_bytes",
        '{"KB": 10**3,',
        '{"KB": 2**10,',
        AMOUNTS + "a_kb_whose_meaning_is_unsure_is_the_smaller_of_the_two",
    ),
    plant(
        "the number of cells is fitted although it was given",
        "_completed",
        "budget = replace(budget, fit_layers=False)",
        "budget = replace(budget, fit_layers=True)",
        RUN + "cells_are_fitted_unless_their_number_is_given",
    ),
    plant(
        "a network that version 0.1 began is given another size",
        "size_phase:fit",
        '    if "budget" not in run:',
        '    if False and "budget" not in run:',
        RUN + "a_run_that_version_0_1_began_keeps_its_sizes",
    ),
    plant(
        "nodes of the exported file stay in the converter's order",
        "order_nodes",
        "for index in best_order(_steps(model, groups, sizes)) for node",
        "for index in range(len(groups)) for node",
        EXPORT + "the_order_of_nodes_needs_less_memory_and_computes_the_same",
    ),
    plant(
        "stored numbers count what batch norms had before they were folded",
        "stored_values",
        "return count_inference_params(network) - sum(norm.num_features for norm in norms)",
        "return count_inference_params(network)",
        EXPORT + "weights_are_stored_once_and_batch_norms_leave_one_number_a_channel",
    ),
    plant(
        "a query of a black-box search is trained at the recipe's size",
        "Trainer.score",
        "size=size or None",
        "size=None",
        RUN + "every_query_of_a_black_box_search_is_trained_within_the_budget",
    ),
    plant(
        "a file is measured with weights that nobody has trained",
        "measure_export",
        "_Normalised(_drawn(network), in_channels)",
        "_Normalised(network.eval(), in_channels)",
        RUN + "a_published_cell_is_trained_within_a_limit_on_its_real_file",
    ),
]
