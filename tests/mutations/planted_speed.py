"""Mistakes of speed: each gives right numbers late, or wrong ones that look right."""

from __future__ import annotations

from tests.mutations.mutation import plant

OPTIMISER = "tests/runtime/test_optimiser.py::test_"
ACCELERATOR = "tests/search/test_accelerator.py::test_"
OTHERS = ACCELERATOR + "nothing_else_that_takes_steps_waits"
FAULTS = "tests/methods/test_compatibility.py::test_"

SPEED = [
    plant(
        "the fused step begins a late weight's momentum with its place instead of zero",
        "_begin_momentum",
        'state[weight]["momentum_buffer"] = torch.zeros_like(weight)',
        'state[weight]["momentum_buffer"] = weight.detach().clone()',
        OPTIMISER + "a_weight_whose_first_gradient_comes_late_moves_as_with_torchs_own_loop",
    ),
    plant(
        "clipping gives the norm and forgets to hand the clipped gradients back",
        "clip_together",
        "        weight.grad = part\n",
        "        pass\n",
        OPTIMISER + "clipping_is_a_few_calls_and_gives_the_norm_of_all_gradients_in_float64",
    ),
    plant(
        "gradients behind a loss scaler are clipped before they are unscaled",
        "Compute.clip",
        "if self._accelerator.scaler is None and can_clip_together(gradients):",
        "if can_clip_together(gradients):",
        OPTIMISER + "behind_a_loss_scaler_steps_are_unscaled_and_overflows_are_skipped",
    ),
    plant(
        "every step asks the device how it went",
        "BilevelSearch.weights_step",
        "        return figures[0], figures[1], norm\n",
        "        return figures[0] * float(norm.isfinite()), figures[1], norm\n",
        "tests/test_speed.py::test_a_search_step_does_not_wait_for_the_device",
    ),
    plant(
        "a compiled pass multiplies every branch with the first branch's drop-path",
        "DrawnDropPath.__call__",
        "        self.used += 1\n        return x * factor.to(x.dtype)",
        "        return x * factor.to(x.dtype)",
        "tests/train/test_forward.py::"
        "test_a_drop_path_drawn_beforehand_drops_what_one_that_draws_on_the_way_drops",
    ),
    plant(
        "a run that was begun compiled is resumed uncompiled",
        "resume",
        'run["precision"], compile=run.get("compile", False))',
        'run["precision"])',
        "tests/pipeline/test_speed_advice.py::test_a_run_that_was_begun_compiled_is_resumed_compiled",
    ),
]

WAITS = [
    plant(
        "GDAS looks at alpha before it looks at what it drew",
        "GumbelHard.mixture",
        "if not active.any():",
        "if not alpha.detach().isfinite().all():",
        ACCELERATOR + "no_step_of_a_recipe_waits_but_once_for_each_sample_of_a_mixture[grouped-gdas]",
    ),
    plant(
        "GDAS draws from an alpha that is not finite",
        "GumbelHard.mixture",
        "(hard.bool() & alpha.detach().isfinite().all()).cpu()",
        "hard.bool().cpu()",
        "tests/methods/test_gumbel.py::test_a_non_finite_alpha_of_any_cell_is_an_error",
    ),
    plant(
        "the edges into a node are picked by a list",
        "arch:_columns",
        "return values.narrow(-1, start, count)",
        "return values[..., list(places)]",
        f"{OTHERS}[memory-low]",
    ),
    plant(
        "edge weights stand in the order of the nodes",
        "softmax_into_nodes",
        "return _columns(weights, [order.index(edge) for edge in range(len(order))])",
        "return weights",
        "tests/methods/test_arch.py::test_edge_weights_follow_the_edges_in_whatever_order_they_stand",
    ),
    plant(
        "the pairs of edges that are compared stay in the host's memory",
        "ConflictMeter.__init__",
        "pairs.to(device).flatten(1)",
        "pairs.flatten(1)",
        f"{OTHERS}[memory-low]",
    ),
    plant(
        "the host waits until a batch's rows are on the device",
        "Batches.next",
        "to_device(rows, self._images.labels.device)",
        "rows.to(self._images.labels.device)",
        f"{OTHERS}[training]",
    ),
    plant(
        "the mean of all images goes to the device with each batch, waited for",
        "Normalisation.apply",
        "to_device(torch.tensor([self.mean, self.std], dtype=torch.float32), x.device)",
        "torch.tensor([self.mean, self.std], dtype=torch.float32, device=x.device)",
        f"{OTHERS}[training]",
    ),
    plant(
        "which images are to be decoded is read back from the device",
        "Batches.next",
        "index if isinstance(self._images.pixels, Tensor) else rows",
        "index",
        f"{OTHERS}[images-decoded-on-the-way]",
    ),
    plant(
        "nobody waits for Metal, which reads memory that was freed",
        "to_device",
        'non_blocking=device.type != "mps"',
        "non_blocking=True",
        "tests/runtime/test_transfer.py::test_the_host_waits_for_metal_alone_which_reads_memory_after_it_was_freed",
    ),
    plant(
        "every gradient is asked on its own whether it overflowed",
        "Compute.overflowed",
        "bool(torch.stack([gradient.isfinite().all() for gradient in gradients]).all())",
        "all([bool(gradient.isfinite().all()) for gradient in gradients])",
        "tests/runtime/test_compute.py::"
        "test_an_overflow_in_any_gradient_is_noticed_with_one_read_and_only_behind_a_loss_scaler",
    ),
    plant(
        "partial channels are to be dropped where that does not help",
        "_size_faults",
        'if channels % 2 == 0 else ""',
        'if channels else ""',
        FAULTS + "dropping_the_partial_channels_is_offered_only_where_it_helps",
    ),
    plant(
        "an odd number of channels is taken where there are no partial ones",
        "_size_faults",
        "    if k == 1 and channels % 2:",
        "    if k == 0 and channels % 2:",
        FAULTS + "an_odd_number_of_channels_without_partial_ones_is_refused_with_numbers_that_work_alone",
    ),
]
