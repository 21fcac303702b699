"""Mistakes of speed: each gives right numbers late, or wrong ones that look right."""

from __future__ import annotations

from tests.mutations.mutation import plant

OPTIMISER = "tests/core/test_optimiser.py::test_"

SPEED = [
    plant(
        "the fused step begins a late weight's momentum with its place instead of zero",
        "core/optimiser.py",
        'state[weight]["momentum_buffer"] = torch.zeros_like(weight)',
        'state[weight]["momentum_buffer"] = weight.detach().clone()',
        OPTIMISER + "a_weight_whose_first_gradient_comes_late_moves_as_with_torchs_own_loop",
    ),
    plant(
        "clipping gives the norm and forgets to hand the clipped gradients back",
        "core/optimiser.py",
        "        weight.grad = part\n",
        "        pass\n",
        OPTIMISER + "clipping_is_a_few_calls_and_gives_the_norm_of_all_gradients_in_float64",
    ),
    plant(
        "gradients behind a loss scaler are clipped before they are unscaled",
        "core/compute.py",
        "if self._accelerator.scaler is None and can_clip_together(gradients):",
        "if can_clip_together(gradients):",
        OPTIMISER + "behind_a_loss_scaler_steps_are_unscaled_and_overflows_are_skipped",
    ),
    plant(
        "every step asks the device how it went",
        "search/bilevel.py",
        "        return figures[0], figures[1], norm\n",
        "        return figures[0] * float(norm.isfinite()), figures[1], norm\n",
        "tests/test_speed.py::test_a_search_step_does_not_wait_for_the_device",
    ),
    plant(
        "a compiled pass multiplies every branch with the first branch's drop-path",
        "nn/drop_path.py",
        "        self.used += 1\n        return x * factor.to(x.dtype)",
        "        return x * factor.to(x.dtype)",
        "tests/train/test_forward.py::"
        "test_a_drop_path_drawn_beforehand_drops_what_one_that_draws_on_the_way_drops",
    ),
    plant(
        "a run that was begun compiled is resumed uncompiled",
        "pipeline/run.py",
        'run["precision"], compile=run.get("compile", False))',
        'run["precision"])',
        "tests/pipeline/test_speed.py::test_a_run_that_was_begun_compiled_is_resumed_compiled",
    ),
]
