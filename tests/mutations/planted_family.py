"""Planted mistakes in the gradients, relaxations and perturbations of the differentiable family."""

from __future__ import annotations

from tests.mutations.mutation import plant

SECOND = "tests/search/test_second_order.py::test_"
GDAS = "tests/search/test_gdas.py::test_"
PERTURBED = "tests/search/test_perturbation_wiring.py::test_"
NEUTRAL = "tests/search/test_family_neutral.py::test_"
GUARDS = "tests/search/test_family_guards.py::test_"

SLOPE = SECOND + "the_exact_gradient_is_the_slope_of_the_loss_after_the_virtual_step"
UNTOUCHED = (
    SECOND + "second_order_leaves_weights_momentum_gradients_and_batch_norm_statistics_as_they_were[darts-v2]"
)
TOY = GUARDS + "the_finite_difference_is_exact_where_the_losses_are_quadratic"
TAU = GDAS + "a_low_tau_and_a_high_tau_draw_alike_and_differ_in_their_gradient_by_what_the_softmax_says"
SMOOTHED = PERTURBED + "the_weight_step_sees_a_moved_mixture_and_the_arch_step_alphas_own[s-darts-rs]"
HIGHER = PERTURBED + "the_adversary_raises_the_loss_of_the_real_weights_batch_above_random_smoothings"
STATISTICS = PERTURBED + "the_adversary_moves_no_statistics_no_weights_and_no_gradients"

SECOND_ORDER = [
    plant(
        "`/2.*eps` stands for `/(2*eps)` in the finite difference",
        "FiniteDifference._products",
        "(plus - minus) / (2 * radius)",
        "(plus - minus) / 2 * radius",
        TOY,
    ),
    plant(
        "the finite difference adds the Hessian-vector product",
        "FiniteDifference.gradient",
        "d - problem.xi * product",
        "d + problem.xi * product",
        TOY,
    ),
    plant(
        "the finite difference forgets the step's length",
        "FiniteDifference.gradient",
        "d - problem.xi * product",
        "d - product",
        TOY,
    ),
    plant(
        "the virtual step ignores the momentum",
        "SupernetProblem.virtual_step",
        "if name in momenta:",
        "if False:",
        SLOPE,
    ),
    plant(
        "the virtual step ignores the weight decay",
        "SupernetProblem.virtual_step",
        "gradients[name] + s.weight_decay * weight",
        "gradients[name] + 0.0 * weight",
        SLOPE,
    ),
    plant(
        "the virtual step climbs",
        "SupernetProblem.virtual_step",
        "weight - s.xi * step",
        "weight + s.xi * step",
        SLOPE,
    ),
    plant(
        "the gradient does not flow through the virtual step",
        "ExactHypergradient.gradient",
        "list(weights.values()), create_graph=True)",
        "list(weights.values()))",
        SLOPE,
    ),
    plant(
        "xi is constant",
        "BilevelSearch.arch_step",
        "weights.lr if lr is None else lr,",
        "weights.lr,",
        SECOND + "xi_is_the_epochs_learning_rate[ExactHypergradient]",
    ),
    plant(
        "the virtual step keeps the recipe's weight decay whatever the epoch's is",
        "BilevelSearch.arch_step",
        "            weights.weight_decay if weight_decay is None else weight_decay,",
        "            weights.weight_decay,",
        SECOND + "the_virtual_step_has_the_weight_decay_of_the_epoch",
    ),
    plant(
        "second order moves the running statistics of batch norms",
        "SupernetPasses.arch_logits",
        "with self.compute.autocast(), frozen_statistics(self.supernet):",
        "with self.compute.autocast():",
        UNTOUCHED,
    ),
    plant(
        "the virtual step learns from the arch batch",
        "SupernetProblem.weights_loss",
        "batch = self.inputs.weights_batch",
        "batch = self.inputs.arch_batch",
        SECOND + "the_arch_step_of_second_order_reads_the_weights_batch[darts-v2]",
    ),
]

SAMPLING = [
    plant(
        "tau is constant",
        "GumbelHard.tau",
        "(self.tau_max - self.tau_min) * share",
        "0.0 * share",
        TAU,
    ),
    plant(
        "tau stays at the search's first epoch",
        "SupernetPasses.mixture",
        "relaxation, position=position, generator=generator)",
        "relaxation, generator=generator)",
        GDAS + "tau_follows_the_epoch_in_the_arch_step_and_in_the_weight_step",
    ),
    plant(
        "GDAS evaluates all operations",
        "GumbelHard.mixture",
        "+ soft, active)",
        "+ soft)",
        GDAS + "every_pass_of_a_step_evaluates_the_one_drawn_operation_of_each_edge_and_no_other",
    ),
    plant(
        "GDAS weighs what it drew softly",
        "GumbelHard.mixture",
        "Mixture(hard - expected + soft,",
        "Mixture(soft,",
        GDAS + "a_pass_weighs_what_was_drawn_with_one_and_the_rest_with_nothing",
    ),
    plant(
        "the straight-through gradient is missing",
        "GumbelHard.mixture",
        "hard - expected + soft,",
        "hard + 0.0 * soft,",
        TAU,
    ),
    plant(
        "the weight step uses the arch step's sample",
        "SupernetPasses.mixture",
        'generator = self.streams.generator("relaxation") if relaxation.draws else None',
        "generator = torch.Generator().manual_seed(1) if relaxation.draws else None",
        GDAS + "every_forward_pass_draws_anew_the_arch_step_and_the_weight_step_included",
    ),
    plant(
        "the Gumbel noise has the wrong sign",
        "GumbelHard.mixture",
        "-(-uniform.log()).log()",
        "(-uniform.log()).log()",
        TAU,
    ),
]

PERTURBATION = [
    plant(
        "the perturbation stays in alpha",
        "SupernetPasses.perturbed",
        "        return {name: replace(mixture[name], weights=value) for name, value in found.items()}",
        "        for name, value in found.items():\n"
        "            self.arch.alpha[name].data.add_(value - mixture[name].weights)\n"
        "        return {name: replace(mixture[name], weights=value) for name, value in found.items()}",
        PERTURBED + "a_perturbed_weight_step_leaves_alpha_its_gradients_and_its_optimiser_bit_for_bit",
    ),
    plant(
        "the arch step sees the perturbed mixture too",
        "SupernetPasses.arch_logits",
        "self.mixture(position), self.arch",
        "self.perturbed(self.mixture(position), None, batch, position), self.arch",
        SMOOTHED,
    ),
    plant(
        "the perturbation is computed and not used",
        "SupernetPasses.weights_logits",
        "mixture = self.perturbed(mixture, edge_weights, batch, position)",
        "self.perturbed(mixture, edge_weights, batch, position)",
        SMOOTHED,
    ),
    plant(
        "adversarial steps descend",
        "Adversarial._ascend",
        "value + (2 * epsilon / self.steps)",
        "value - (2 * epsilon / self.steps)",
        HIGHER,
    ),
    plant(
        "an adversarial mixture is kept although the loss fell",
        "Adversarial.perturb",
        "worse = after >= before",
        "worse = after >= after",
        PERTURBED + "a_mixture_under_which_the_loss_fell_is_not_taken",
    ),
    plant(
        "the adversary moves the running statistics of batch norms",
        "SupernetPasses.perturbed",
        "with evaluation_mode(self.supernet), frozen_weights(self.supernet), self.compute.autocast():",
        "with frozen_weights(self.supernet), self.compute.autocast():",
        STATISTICS,
    ),
    plant(
        "the adversary leaves the supernet in evaluation mode",
        "evaluation_mode",
        "module.train(training)",
        "pass",
        PERTURBED + "the_adversary_looks_at_the_weights_batch_alone_and_in_evaluation_mode",
    ),
    plant(
        "epsilon stays where it starts",
        "Growing.epsilon",
        "self.rise * position.epoch / position.epochs",
        "0.0 * position.epoch / position.epochs",
        PERTURBED + "epsilon_follows_the_epoch",
    ),
    plant(
        "the perturbation draws from torch's global stream",
        "noisy",
        "torch.rand(mixture.shape, generator=generator)",
        "torch.rand(mixture.shape)",
        NEUTRAL + "no_recipe_uses_or_moves_torchs_global_stream[s-darts-rs]",
    ),
    plant(
        "the perturbed rows do not sum to one",
        "onto_rows",
        "clipped / total.clamp_min(1e-30)",
        "clipped",
        SMOOTHED,
    ),
]

FAMILY = [*SECOND_ORDER, *SAMPLING, *PERTURBATION]
