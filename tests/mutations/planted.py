"""The table of planted mistakes: each runs and looks healthy, and a test has to notice it."""

from __future__ import annotations

from tests.mutations.mutation import Edit, Mutation, plant
from tests.mutations.planted_budget import BUDGET
from tests.mutations.planted_data import TAKEN_FOR
from tests.mutations.planted_distributed import DISTRIBUTED
from tests.mutations.planted_drawn_hooks import CHANGES_ON_ENGINES
from tests.mutations.planted_early_stopping import WATCH
from tests.mutations.planted_family import FAMILY
from tests.mutations.planted_grouped import GROUPED_CELLS
from tests.mutations.planted_memory import MEMORY
from tests.mutations.planted_native import NATIVE_KERNELS
from tests.mutations.planted_parts import PARTS
from tests.mutations.planted_reliability import RELIABILITY
from tests.mutations.planted_selection import SELECTION
from tests.mutations.planted_speed import SPEED, WAITS
from tests.mutations.planted_stages import STAGED
from tests.mutations.planted_trackers import TRACKERS

BILEVEL = "tests/search/test_bilevel.py::test_"
GOLDEN = "tests/search/test_golden.py::test_"
NEUTRAL = "tests/search/test_neutral.py::test_"
STEP = "tests/search/test_step.py::test_"
SEARCH = "tests/search/test_task.py::test_"
TRAIN = "tests/train/test_task.py::test_"
TEST = "tests/train/test_evaluate.py::test_"
BY_HAND = "tests/methods/test_projection_by_hand.py::test_"
ORDER = "tests/methods/test_projection_order.py::test_"
NB201 = "tests/nn/test_nb201.py::test_"
LOOP = "tests/test_loop.py::test_"

PINNED = GOLDEN + "three_steps_give_the_pinned_numbers"
RESUMED_SEARCH = SEARCH + "a_search_resumed_within_an_epoch_goes_on_bit_for_bit[0-2-pc-darts-gp]"
RESUMED_TRAINING = TRAIN + "a_training_resumed_within_an_epoch_goes_on_bit_for_bit[0.0-2-2]"
PROJECTED = BILEVEL + "the_arch_optimiser_gets_alphas_projected_gradient_and_betas_plain_one[random-in]"
ADAM = BILEVEL + "the_arch_step_is_adams_and_its_weight_decay_comes_after_the_projection"
WARM_UP = BILEVEL + "alpha_and_beta_are_frozen_and_the_arch_split_unread_until_warm_up_ends"

PROJECTION = [
    plant(
        "the projection is computed and not applied",
        "BilevelSearch._set_gradients",
        "rows = self.projector(rows, self._projector_stream)",
        "self.projector(rows, self._projector_stream)",
        PROJECTED,
    ),
    plant(
        "rows are projected against partners that were projected already",
        "Projector.__call__",
        "partner = original.gather(",
        "partner = current.gather(",
        BY_HAND + "three_conflicting_rows_give_all_results_of_the_partner_orders_and_no_other",
    ),
    plant(
        "the conflict is tested with the original value instead of the current one",
        "Projector.__call__",
        "& (inner < 0)",
        "& ((original * partner).sum(-1) < 0)",
        BY_HAND + "the_conflict_is_tested_with_the_current_row_not_the_original_one",
    ),
    plant(
        "the two orders by length are swapped",
        "_precedence",
        "row < column if order",
        "row > column if order",
        ORDER + "of_edges_of_unequal_length_the_shorter_or_the_longer_is_projected_as_asked",
    ),
    plant(
        "both edges of a pair can lose the toss",
        "Projector._draw",
        "coin = heads.triu(1) | (~heads).transpose(-1, -2).tril(-1)",
        "coin = heads",
        ORDER + "exactly_one_edge_of_any_conflicting_pair_is_projected",
    ),
    plant(
        "edges of different nodes are projected on each other",
        "Projector.__init__",
        "together[e, group] = True",
        "together[e, :] = True",
        ORDER + "edges_that_share_no_group_leave_each_other_alone",
    ),
    plant(
        "weight decay is added before the projection",
        "BilevelSearch._set_gradients",
        "rows = torch.stack(list(gradient.alpha.values()))",
        "rows = torch.stack(list(gradient.alpha.values())) + self.recipe.arch.weight_decay * torch.stack("
        "[a.detach() for a in self.arch.alpha.values()])",
        ADAM,
    ),
    plant(
        "the projection draws from torch's global stream",
        "Projector._draw",
        "draws = torch.rand(2, cells, edges, edges, generator=generator)",
        "draws = torch.rand(2, cells, edges, edges)",
        NEUTRAL + "a_search_neither_uses_nor_moves_torchs_global_stream[pc-darts-gp]",
    ),
    plant(
        "the projection draws from the stream of the batches",
        "BilevelSearch.__init__",
        "else streams.generator(change.stream)",
        'else streams.generator("batches.weights")',
        NEUTRAL + "switching_projection_on_shifts_nobody_elses_random_numbers[random]",
    ),
    plant(
        "a row without a conflict is changed all the same",
        "Projector.__call__",
        "projected |= hit",
        "projected |= True\n            current = current * (1 + 1e-6)",
        NEUTRAL + "a_projection_that_finds_no_conflict_is_no_projection",
    ),
    plant(
        "conflicts after the projection are those before it",
        "BilevelSearch._set_gradients",
        "after = self.meter(rows)\n        for",
        "after = before\n        for",
        BILEVEL + "conflicts_are_measured_before_and_after_the_projection",
    ),
    plant(
        "conflicts are measured between edges that the projection does not compare",
        "BilevelSearch.__init__",
        '"in" if change is None else change.direction',
        '"in"',
        BILEVEL + "conflicts_are_measured_between_the_edges_that_the_projection_compares[out]",
    ),
]

BILEVEL_STEPS = [
    plant(
        "alpha is trained on the weights batch",
        "BilevelSearch.step",
        "                batches.arch.next(), weights_batch",
        "                weights_batch, weights_batch",
        BILEVEL + "the_arch_step_reads_only_the_arch_batch",
    ),
    plant(
        "the weights are trained on the arch batch",
        "BilevelSearch.step",
        "self.weights_step(weights_batch, lr,",
        "self.weights_step(batches.arch.next(), lr,",
        BILEVEL + "the_weight_step_reads_only_the_weights_batch",
    ),
    plant(
        "the weight optimiser owns alpha and beta too",
        "BilevelSearch.__init__",
        "sgd(self._weights, weights.lr",
        "sgd([*self._weights, *arch.parameters()], weights.lr",
        BILEVEL + "the_weight_step_leaves_alpha_and_beta_and_their_gradients_alone",
    ),
    plant(
        "the weight step's backward pass reaches alpha",
        "SupernetPasses.weights_logits",
        "with torch.no_grad():",
        "if True:",
        BILEVEL + "the_weight_step_leaves_alpha_and_beta_and_their_gradients_alone",
    ),
    plant(
        "the arch step's backward pass reaches the weights",
        "Compute.gradients",
        "            return torch.autograd.grad(loss, list(inputs), create_graph=create_graph)",
        "            loss.backward()\n            return tuple(i.grad for i in inputs)",
        "tests/search/test_second_order.py::test_"
        "second_order_leaves_weights_momentum_gradients_and_batch_norm_statistics_as_they_were[darts-v2-fd]",
    ),
    plant(
        "an arch step of first order computes the weights' gradients too",
        "SupernetProblem.arch_loss",
        "with nullcontext() if weights is not None else frozen_weights(self.passes.supernet):",
        "with nullcontext():",
        BILEVEL + "in_an_arch_step_of_first_order_no_weight_asks_for_a_gradient",
    ),
    plant(
        "warm-up is ignored",
        "BilevelSearch.step",
        "if position.epoch >= self.recipe.frozen_epochs:",
        "if position.epoch >= 0:",
        WARM_UP,
    ),
    plant(
        "warm-up lasts an epoch too long",
        "BilevelSearch.step",
        "if position.epoch >= self.recipe.frozen_epochs:",
        "if position.epoch > self.recipe.frozen_epochs:",
        BILEVEL + "without_warm_up_alpha_and_beta_move_in_the_first_epoch",
    ),
    plant(
        "the arch split is read during warm-up",
        "BilevelSearch.step",
        "        arch = None\n        if position.epoch",
        "        arch = batches.arch.next() and None\n        if position.epoch",
        WARM_UP,
    ),
    plant(
        "the arch step climbs",
        "BilevelSearch._set_gradients",
        "parameter.grad = row.clone()",
        "parameter.grad = -row",
        BILEVEL + "arch_steps_lower_the_loss_on_the_arch_batch[darts-v1]",
    ),
    plant(
        "beta gets no gradient",
        "BilevelSearch._set_gradients",
        "parameter.grad = value",
        "parameter.grad = torch.zeros_like(value)",
        BILEVEL + "without_a_projection_the_arch_optimiser_gets_autograds_gradient",
    ),
    plant(
        "alpha's gradient is clipped like the weights'",
        "BilevelSearch.arch_step",
        "self.arch_optimizer.step()",
        "self.compute.clip(self.arch.parameters(), self.recipe.weights.clip)\n        self.arch_optimizer.step()",
        BILEVEL + "the_gradients_of_alpha_and_beta_are_not_clipped",
    ),
    plant(
        "the weights' gradient is not clipped",
        "BilevelSearch.weights_step",
        "self.recipe.weights.clip)",
        'float("inf"))',
        BILEVEL + "the_weight_step_is_sgd_with_momentum_weight_decay_and_clipping",
    ),
    plant(
        "the arch optimiser has PyTorch's default betas",
        "BilevelSearch.__init__",
        "betas=recipe.arch.betas,",
        "betas=(0.9, 0.999),",
        ADAM,
    ),
    plant(
        "the learning rate stays what it was",
        "BilevelSearch.weights_step",
        'group["lr"] = lr',
        "pass",
        BILEVEL + "the_learning_rate_falls_along_half_a_cosine_an_epoch_a_step[2-0.06]",
    ),
    plant(
        "the cosine ends an epoch early",
        "cosine",
        "math.pi * epoch / epochs",
        "math.pi * epoch / max(1, epochs - 1)",
        BILEVEL + "the_learning_rate_falls_along_half_a_cosine_an_epoch_a_step[2-0.06]",
    ),
    plant(
        "means of arch figures are taken over all steps",
        "EpochSums.arch_means",
        "(self.arch / self.arch_steps)",
        "(self.arch / self.steps)",
        STEP + "means_are_taken_over_the_steps_of_each_kind",
    ),
]

NETWORKS = [
    plant(
        "the channel shuffle is skipped",
        "PartialChannelEdge.forward",
        "return channel_shuffle(torch.cat([mixed, rest], dim=1), self.k)",
        "return torch.cat([mixed, rest], dim=1)",
        "tests/nn/test_mixed.py::test_only_the_first_channels_are_mixed_and_the_others_pass_unchanged "
        + f"{PINNED}[pc-darts]",
    ),
    plant(
        "K is ignored",
        "SearchTask._build",
        "k=recipe.k,",
        "k=1,",
        NEUTRAL + "partial_channels_and_beta_each_change_the_search[part0]",
    ),
    plant(
        "beta's softmax runs over all edges of the cell",
        "softmax_into_nodes",
        "torch.softmax(_columns(beta, edges), dim=-1)",
        "_columns(torch.softmax(beta, dim=-1), edges)",
        f"{PINNED}[pc-darts]",
    ),
    plant(
        "average pooling counts the padding",
        "AveragePool.__init__",
        "count_include_pad=False",
        "count_include_pad=True",
        f"{PINNED}[darts]",
    ),
    plant(
        "drop-path drops whole batches",
        "DropPath.__call__",
        "(x.shape[0], 1, 1, 1)",
        "(1, 1, 1, 1)",
        "tests/nn/test_drop_path.py::test_the_share_of_dropped_samples_lies_within_binomial_bounds",
    ),
    plant(
        "drop-path does not scale the samples that it keeps",
        "DropPath.__call__",
        "x.device, x.dtype).div(keep)",
        "x.device, x.dtype)",
        "tests/nn/test_drop_path.py::test_a_sample_is_dropped_whole_or_kept_whole_and_scaled",
    ),
    plant(
        "identity edges are dropped too",
        "sum_nodes",
        "if drop_path is not None and not isinstance(module, nn.Identity):",
        "if drop_path is not None:",
        TRAIN + "an_identity_edge_is_never_dropped",
    ),
    plant(
        "the last stages of NAS-Bench-201 get the cells that are left over",
        "stage_lengths",
        "(stage < layers % STAGES)",
        "(stage >= STAGES - layers % STAGES)",
        NB201 + "cells_are_spread_over_the_stages_and_the_first_stages_get_what_is_left",
    ),
    plant(
        "a cell of NAS-Bench-201 outputs its first inner node",
        "StagedCell.forward",
        "drop_path)[self.cell.concat[0]]",
        "drop_path)[1]",
        NB201 + "a_node_is_the_sum_of_its_edges_and_the_output_is_the_last_node",
    ),
    plant(
        "a node of a derived cell that hears nothing is left out, and later nodes take its number",
        "sum_nodes",
        "        states.append(torch.zeros_like(states[0]) if total is None else total)",
        "        if total is not None:\n            states.append(total)",
        NB201
        + "a_supernet_with_a_cells_one_hot_mixture_is_the_network_of_that_cell "
        + NB201
        + "a_cell_of_none_gives_zeros_and_a_network_of_it_still_learns",
    ),
    plant(
        "the limit on skips knows the normal cell alone",
        "SkipLimit.cell",
        "if cell_type != space.cell_types[0]",
        'if cell_type != "normal"',
        "tests/methods/test_derivation.py::test_the_skip_limit_holds_in_the_only_cell_of_nas_bench_201_and_the_"
        "strongest_skips_stay",
    ),
    plant(
        "a searched convolution of NAS-Bench-201 has no bias",
        "benchmark_conv",
        "biased = not affine and stride == 1",
        "biased = False",
        NB201 + "the_supernet_of_the_benchmarks_size_has_1692826_weights",
    ),
    plant(
        "`none` is derived",
        "TopEdges.cell",
        "if primitive in space.derivable]",
        "if primitive]",
        SEARCH + "none_is_never_derived_however_strong_it_is",
    ),
    plant(
        "beta plays no part in the derivation",
        "derivation:derive",
        "strengths = strengths * edge_weights[name].unsqueeze(-1)",
        "pass",
        SEARCH + "beta_decides_which_edges_are_derived",
    ),
    plant(
        "the supernet's start weights come from torch's global stream",
        "SearchTask._build",
        "with seeded(self.streams.integer(name)):",
        "if True:",
        NEUTRAL + "a_search_neither_uses_nor_moves_torchs_global_stream[darts-v1]",
    ),
]

SPLITS = [
    plant(
        "alpha learns from the test images",
        "SearchTask._batches",
        '("arch", splits.arch)',
        '("arch", splits.test.open())',
        SEARCH + "a_search_never_opens_the_test_images",
    ),
    plant(
        "alpha learns from the test images behind the seal",
        "SearchTask._batches",
        '("arch", splits.arch)',
        '("arch", splits.test._images)',
        SEARCH + "other_test_images_change_nothing_in_a_search",
    ),
    plant(
        "the network is trained on the test images",
        "TrainTask.__init__",
        "images = splits.train",
        "images = splits.test._images",
        TRAIN + "other_test_images_change_nothing_in_a_training",
    ),
    plant(
        "the network is trained on half of the training images",
        "TrainTask.__init__",
        "images = splits.train",
        "images = splits.weights",
        TRAIN + "an_epoch_trains_on_every_image_of_both_splits_once",
    ),
]

TRAINING = [
    plant(
        "an evaluation moves the running statistics of batch norms",
        "evaluate",
        ".to(compute.device).eval()",
        ".to(compute.device)",
        TEST + "an_evaluation_moves_no_running_statistics_and_no_weights",
    ),
    plant(
        "the network stays in evaluation mode when training goes on",
        "TrainTask._step",
        "self.network.train()",
        "pass",
        TRAIN + "the_network_is_in_training_mode_in_every_step_also_after_an_evaluation",
    ),
    plant(
        "the auxiliary head is not trained",
        "TrainTask._step",
        "if auxiliary is not None:",
        "if False:",
        TRAIN + "the_auxiliary_loss_counts_with_its_weight_and_the_reported_loss_is_the_main_one[0.4]",
    ),
    plant(
        "the auxiliary weight is ignored",
        "TrainTask._step",
        "loss + self.settings.auxiliary * F",
        "loss + F",
        TRAIN + "the_auxiliary_loss_counts_with_its_weight_and_the_reported_loss_is_the_main_one[0.4]",
    ),
    plant(
        "an epoch's figures go on into the next",
        "TrainTask.finish_epoch",
        "        self._sums.zero_()\n",
        "",
        TRAIN + "each_epoch_is_counted_from_nothing",
    ),
    plant(
        "drop-path has its full probability from the start",
        "TrainTask.drop_path_probability",
        "return self.settings.drop_path * epoch / self.settings.epochs",
        "return self.settings.drop_path",
        TRAIN + "drop_path_rises_linearly_from_zero[1-0.1]",
    ),
    plant(
        "the confusion matrix is transposed",
        "evaluate",
        "confusion_matrix(labels, guesses,",
        "confusion_matrix(guesses, labels,",
        TEST + "accuracy_loss_classes_and_confusion_are_those_counted_by_hand",
    ),
]

RUNS = [
    Mutation(
        "alpha is missing from the checkpoint",
        (
            Edit("BilevelSearch.state_dict", '"arch": self.arch.state_dict(),', ""),
            Edit("BilevelSearch.load_state_dict", 'self.arch.load_state_dict(state["arch"])', "pass"),
        ),
        RESUMED_SEARCH,
    ),
    plant(
        "the random streams are missing from a search's checkpoint",
        "SearchTask.state_dict",
        '"streams": self.streams.state_dict(),',
        '"streams": {},',
        RESUMED_SEARCH,
    ),
    plant(
        "the random streams are missing from a training's checkpoint",
        "TrainTask.state_dict",
        '"streams": self.streams.state_dict(),',
        '"streams": {},',
        RESUMED_TRAINING,
    ),
    plant(
        "the positions in the splits are not restored",
        "SearchTask.load_state_dict",
        "batches.load_state_dict(saved)",
        "pass",
        RESUMED_SEARCH,
    ),
    plant(
        "the momentum of the weights is not restored",
        "BilevelSearch.load_state_dict",
        'restore_optimizer(self.weights_optimizer, state["weights_optimizer"])',
        "pass",
        RESUMED_SEARCH,
    ),
    plant(
        "Adam's moments are not restored",
        "BilevelSearch.load_state_dict",
        'restore_optimizer(self.arch_optimizer, state["arch_optimizer"])',
        "pass",
        RESUMED_SEARCH,
    ),
    plant(
        "the epoch's sums are not restored",
        "SearchTask.load_state_dict",
        'self.sums.load_state_dict(state["sums"])',
        "pass",
        RESUMED_SEARCH,
    ),
    plant(
        "the loss scaler is missing from the checkpoint",
        "BilevelSearch.state_dict",
        '"scaler": self.compute.scaler_state(),',
        '"scaler": {},',
        BILEVEL + "the_loss_scaler_is_part_of_the_state",
    ),
    plant(
        "Ctrl-C saves numbers that are not finite over the last good checkpoint",
        "Loop._interrupt",
        "self._guarded(task, mark, lambda: task.check_finite(mark.epoch))\n        self._save",
        "self._save",
        LOOP + "ctrl_c_after_a_non_finite_number_does_not_replace_the_last_good_checkpoint",
    ),
    plant(
        "a resumed epoch starts from its first step",
        "Loop._epoch",
        "for step in range(mark.step, task.steps):",
        "for step in range(task.steps):",
        LOOP + "a_resumed_run_repeats_no_step_that_its_checkpoint_holds",
    ),
    plant(
        "a resumed run keeps the records of steps that it repeats",
        "Loop.run",
        "self.folder.truncate_trace(mark.trace)",
        "pass",
        LOOP + "a_run_killed_at_any_moment_and_resumed_ends_as_the_run_that_was_never_killed",
    ),
    plant(
        "a phase keeps the checkpoint of the phase before it until its first epoch ends",
        "Loop.run",
        "        else:\n            self._save(task, mark)",
        "",
        LOOP + "a_non_finite_number_stops_the_run_names_the_last_good_checkpoint_and_leaves_it",
    ),
    plant(
        "a checkpoint is written without a look at the numbers",
        "Loop._within_epoch",
        "if due or unchecked:",
        "if False:",
        LOOP + "no_checkpoint_within_an_epoch_holds_a_non_finite_number",
    ),
    plant(
        "Ctrl-C is ignored",
        "Loop._epoch",
        "if self.stop.requested:",
        "if False:",
        LOOP + "a_stop_is_honoured_before_the_next_step_and_everything_is_saved",
    ),
    plant(
        "a loss that is not finite goes unnoticed",
        "SearchTask.check_finite",
        'if value is not None and not abs(value) < float("inf"):',
        'if value is not None and abs(value) == float("inf"):',
        SEARCH + "a_loss_that_is_not_finite_is_named_with_its_epoch",
    ),
]

MUTATIONS = [
    *PROJECTION,
    *BILEVEL_STEPS,
    *NETWORKS,
    *SPLITS,
    *TRAINING,
    *RUNS,
    *FAMILY,
    *PARTS,
    *STAGED,
    *RELIABILITY,
    *BUDGET,
    *SELECTION,
    *WATCH,
    *CHANGES_ON_ENGINES,
    *NATIVE_KERNELS,
    *GROUPED_CELLS,
    *SPEED,
    *WAITS,
    *MEMORY,
    *DISTRIBUTED,
    *TRACKERS,
    *TAKEN_FOR,
]
