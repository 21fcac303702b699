"""Planted mistakes in the stop rule, roll-backs, diagnostics and the checkpoints of all of them."""

from __future__ import annotations

from tests.mutations.mutation import Edit, Mutation, plant

WATCHED = "tests/search/test_early_stopping.py::test_"
DIAGNOSED = "tests/search/test_diagnostics.py::test_"
RESUMED = "tests/search/test_family_resume.py::test_"
HOOKS = "tests/search/test_hooks_wiring.py::test_"
NEUTRAL = "tests/search/test_family_neutral.py::test_"

BY_HAND = WATCHED + "a_rise_by_hand_stops_with_the_cells_of_twelve_epochs_before"
ROLLED = WATCHED + "a_roll_back_restores_weights_alpha_and_both_optimisers_and_raises_the_weight_decay"
STOPPED = WATCHED + "a_search_that_stops_returns_the_cells_of_the_epoch_before_the_rise"
EIGENVALUE = DIAGNOSED + "the_eigenvalue_is_the_full_hessians_largest_plus_alphas_weight_decay[3]"
LEFT_ALONE = DIAGNOSED + "the_eigenvalue_leaves_weights_alpha_gradients_and_statistics_alone"
RESUMED_STAGE = RESUMED + "stages_resumed_within_each_of_them_and_at_their_ends_go_on_bit_for_bit[p-darts]"
RESUMED_ADA = RESUMED + "roll_backs_resumed_before_and_after_them_with_states_pending_end_bit_for_bit[r-darts-ada]"

STOPS = [
    plant(
        "the stop rule compares with the average before",
        "HessianStop.stop_epoch",
        "earlier = averages[-1 - self.delta]",
        "earlier = averages[-2]",
        BY_HAND,
    ),
    plant(
        "the stop rule compares single eigenvalues",
        "HessianStop.stop_epoch",
        "sum(eigenvalues[max(0, n - self.window) : n]) / min(n, self.window)",
        "eigenvalues[n - 1]",
        BY_HAND,
    ),
    plant(
        "the stop rule takes an epoch too late",
        "HessianStop.stop_epoch",
        "candidate = epoch - self.every * (self.window // 2) - self.every * self.delta",
        "candidate = epoch - self.every * self.delta",
        BY_HAND,
    ),
    plant(
        "a stopped search returns its last cells",
        "SearchTask.genotype",
        "        if self.early_stopping.stopped is not None:\n            return Genotype",
        "        if False:\n            return Genotype",
        STOPPED,
    ),
    plant(
        "a stopped search goes on to its end",
        "SearchTask.epochs",
        'planned = self.recipe.search.epochs if stopped is None else stopped["detected"] + 1',
        "planned = self.recipe.search.epochs",
        STOPPED,
    ),
    plant(
        "the last epoch can stop the search",
        "HessianStop.stop_epoch",
        "if len(eigenvalues) < half or epoch >= epochs - 1:",
        "if len(eigenvalues) < half:",
        WATCHED + "the_last_epoch_is_measured_and_stops_nothing",
    ),
    plant(
        "more weight decay without a roll-back",
        "SearchTask._decide",
        '            search.load_state_dict(self.early_stopping.roll_back(scheduled, decision["epoch"]))\n',
        '            self.early_stopping.roll_back(scheduled, decision["epoch"])\n',
        ROLLED,
    ),
    plant(
        "a roll-back without more weight decay",
        "SearchTask._decide",
        "factor = search.weight_decay_factor * adaptation.times",
        "factor = search.weight_decay_factor",
        ROLLED,
    ),
    plant(
        "a roll-back brings the old weight decay back",
        "SearchTask._decide",
        "            search.weight_decay_factor = factor\n",
        "",
        ROLLED,
    ),
    plant(
        "the weight decay has no limit",
        "Adaptation.weight_decay",
        "return min(base * factor, max(base, self.most))",
        "return base * factor",
        HOOKS + "weight_decay_stands_still_rises_on_a_line_or_is_multiplied_up_to_its_limit",
    ),
    plant(
        "the rule does not rest at the limit",
        "SearchTask._decide",
        "at_limit=at_limit,",
        "at_limit=False,",
        WATCHED + "the_weight_decay_is_capped_and_the_rule_rests_once_it_is_there",
    ),
    plant(
        "a roll-back leaves the weights' optimiser where it was",
        "BilevelSearch.load_state_dict",
        'restore_optimizer(self.weights_optimizer, state["weights_optimizer"])',
        "pass",
        ROLLED,
    ),
    plant(
        "a roll-back leaves alpha's optimiser where it was",
        "BilevelSearch.load_state_dict",
        'restore_optimizer(self.arch_optimizer, state["arch_optimizer"])',
        "pass",
        ROLLED,
    ),
    plant(
        "a state to go back to moves with the search",
        "EarlyStopping.decide",
        "self.snapshots[epoch] = copy.deepcopy(state())",
        "self.snapshots[epoch] = state()",
        ROLLED,
    ),
    plant(
        "a roll-back keeps the eigenvalues that came after",
        "EarlyStopping.roll_back",
        "self.eigenvalues = self.eigenvalues[: len(kept)]",
        "pass",
        WATCHED + "eigenvalues_and_cells_after_the_epoch_that_was_gone_back_to_are_forgotten",
    ),
    plant(
        "a second roll-back looks for a state that is not kept",
        "EarlyStopping.decide",
        "max(target, min(self.snapshots))",
        "target",
        WATCHED + "a_second_rise_soon_after_a_roll_back_goes_back_to_the_same_epoch",
    ),
    plant(
        "a second roll-back goes to a state that the search has moved",
        "EarlyStopping.roll_back",
        "state = copy.deepcopy(self.snapshots[target])",
        "state = self.snapshots[target]",
        WATCHED + "a_state_that_was_gone_back_to_is_not_moved_by_the_search_that_goes_on",
    ),
]

MEASURES = [
    plant(
        "the eigenvalue is the smallest",
        "largest_eigenvalue",
        "value, residual = values[-1], beta * vectors[-1, -1].abs()",
        "value, residual = values[0], beta * vectors[-1, 0].abs()",
        EIGENVALUE,
    ),
    plant(
        "the eigenvalue lacks alpha's weight decay",
        "hessian_eigenvalue",
        "found.value + search.recipe.arch.weight_decay",
        "found.value",
        EIGENVALUE,
    ),
    plant(
        "the Hessian is taken on the weights split",
        "SearchTask.__init__",
        'self._stream_of("diagnostics", splits.arch,',
        'self._stream_of("diagnostics", splits.weights,',
        DIAGNOSED + "a_task_takes_the_eigenvalue_on_the_arch_split_through_a_stream_of_its_own",
    ),
    plant(
        "the Hessian takes its batches from the search",
        "SearchTask._hessian",
        "hessian_eigenvalue(self.search, self.probe.next(),",
        "hessian_eigenvalue(self.search, self.batches.arch.next(),",
        NEUTRAL + "diagnostics_change_neither_weights_nor_alpha_nor_cells_nor_streams[darts-v1]",
    ),
    plant(
        "the Hessian moves the running statistics of batch norms",
        "hessian_eigenvalue",
        "    with frozen_statistics(search.supernet), search.supernet.differentiable_twice():\n        logits",
        "    with search.supernet.differentiable_twice():\n        logits",
        LEFT_ALONE,
    ),
    plant(
        "the discretisation gap moves the running statistics of batch norms",
        "discretisation_gap",
        "    with frozen_statistics(search.supernet):\n        for",
        "    if True:\n        for",
        DIAGNOSED + "the_gap_moves_no_statistics_no_weights_and_no_mode",
    ),
    plant(
        "the discretisation gap compares the mixture with itself",
        "discretisation_gap",
        "(derived, None)",
        "(mixed, None)",
        DIAGNOSED + "the_gap_is_nothing_where_alpha_has_decided_and_something_where_it_has_not",
    ),
    plant(
        "the Hessian sees drop-path and noise",
        "hessian_eigenvalue",
        "search.supernet(batch.x, mixtures, edge_weights)",
        "search.supernet(batch.x, mixtures, edge_weights, search.hooks(search.recipe.locate(1)[1]))",
        HOOKS + "no_diagnostic_sees_noise_dropout_or_drop_path",
    ),
    plant(
        "diagnostics move the noise that a space holds",
        "frozen_statistics",
        "noise.calls = calls",
        "pass",
        NEUTRAL + "diagnostics_do_not_move_the_noise_that_a_space_holds",
    ),
    plant(
        "cosines of an epoch are not means over its arch steps",
        "EpochSums.cosine_means",
        "self.cosines / max(1, self.arch_steps)",
        "self.cosines",
        DIAGNOSED + "the_records_cosines_are_symmetric_have_a_unit_diagonal_and_are_the_means_over_the_steps",
    ),
]

CHECKPOINTS = [
    plant(
        "the stage is missing from the checkpoint",
        "SearchTask.state_dict",
        '"stage": self.search.stage,\n            "kept"',
        '"stage": 0,\n            "kept"',
        RESUMED_STAGE,
    ),
    plant(
        "the primitives that edges kept are missing from the checkpoint",
        "SearchTask.state_dict",
        "{name: self.search.arch.kept(name) for name in self.space.cell_types}",
        "None",
        RESUMED_STAGE,
    ),
    Mutation(
        "the stop rule's memory is missing from the checkpoint",
        (
            Edit("SearchTask.state_dict", '"watch": self.early_stopping.state_dict(),', ""),
            Edit("SearchTask.load_state_dict", 'self.early_stopping.load_state_dict(state["watch"])', "pass"),
        ),
        RESUMED_ADA,
    ),
    plant(
        "states to go back to are missing from the checkpoint",
        "EarlyStopping.state_dict",
        '"snapshots": dict(self.snapshots),',
        '"snapshots": {},',
        RESUMED_ADA,
    ),
    plant(
        "the weight decay's factor is missing from the checkpoint",
        "BilevelSearch.load_state_dict",
        'self.weight_decay_factor = state["weight_decay_factor"]',
        "pass",
        RESUMED_ADA,
    ),
    plant(
        "the diagnostics' batches are missing from the checkpoint",
        "SearchTask._all_batches",
        "return self.batches.weights, self.batches.arch, self.probe",
        "return self.batches.weights, self.batches.arch",
        RESUMED + "a_search_with_all_diagnostics_resumed_within_an_epoch_goes_on_bit_for_bit",
    ),
]

WATCH = [*STOPS, *MEASURES, *CHECKPOINTS]
