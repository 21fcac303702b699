"""Planted mistakes in what recipes do to outputs, and in stages."""

from __future__ import annotations

from tests.mutations.mutation import plant

HOOKS = "tests/search/test_hooks_wiring.py::test_"
NEUTRAL = "tests/search/test_family_neutral.py::test_"
GUARDS = "tests/search/test_family_guards.py::test_"
NEW_STAGE = HOOKS + "a_new_stage_has_new_weights_new_alpha_new_optimisers_and_the_strongest_primitives"

OUTPUTS = [
    plant(
        "dropout reaches skips of stride 2",
        "SkipDropout.hook",
        "            if stride != 1:\n",
        "            if stride == 0:\n",
        HOOKS + "dropout_reaches_skips_of_stride_1_and_nothing_else",
    ),
    plant(
        "the dropout rate does not follow the epoch",
        "SkipDropout.rate",
        "return start * math.exp(-self.decay * (position.epoch - frozen))",
        "return start",
        HOOKS + "the_dropout_rate_follows_stage_and_epoch",
    ),
    plant(
        "the dropout rate is the first stage's",
        "SkipDropout.hooks",
        "self.rate(run.stage,",
        "self.rate(0,",
        HOOKS + "the_dropout_rate_follows_stage_and_epoch",
    ),
    plant(
        "dropout does not scale what it keeps",
        "SkipDropout.hook",
        "kept.to(out.dtype) / (1.0 - rate)",
        "kept.to(out.dtype)",
        HOOKS + "dropout_reaches_skips_of_stride_1_and_nothing_else",
    ),
    plant(
        "noise reaches every operation",
        "DrawnHook.__call__",
        "if primitive in self.primitives else None",
        "if primitive else None",
        HOOKS + "noise_reaches_skips_of_both_strides_and_nothing_else",
    ),
    plant(
        "the adversary looks through noise",
        "SupernetPasses.perturbed",
        "self.supernet(batch.x, mixtures, edge_weights)",
        "self.supernet(batch.x, mixtures, edge_weights, self.hooks(position))",
        HOOKS + "the_adversary_sees_no_noise",
    ),
    plant(
        "drop-path does not reach the edges",
        "mix_nodes",
        "if hooks.edge is not None:",
        "if False:",
        HOOKS + "drop_path_reaches_every_edge_with_the_probability_of_the_epoch",
    ),
    plant(
        "an operation's hook is told the wrong stride",
        "MixedEdges.__init__",
        "                stride=stride,\n            )",
        "                stride=1,\n            )",
        HOOKS + "the_hook_meets_every_operation_with_its_own_name_and_stride_in_both_steps",
    ),
    plant(
        "noise draws from the stream of drop-path",
        "OperationNoise.hooks",
        'run.streams.generator("noise", run.device)',
        'run.streams.generator("search drop-path", run.device)',
        NEUTRAL + "switching_one_drawing_part_off_moves_the_stream_of_no_other[noise]",
    ),
    plant(
        "the weight decay of the epoch does not reach SGD",
        "BilevelSearch.weights_step",
        'group["weight_decay"] = self.recipe.weights.weight_decay if weight_decay is None else weight_decay',
        "pass",
        HOOKS + "weight_decay_stands_still_rises_on_a_line_or_is_multiplied_up_to_its_limit",
    ),
]

STAGES = [
    plant(
        "a new stage keeps the old alpha",
        "SearchTask",
        "        self.search = self._build(stage=stage, kept=kept)\n\n    def _batches",
        "        old = self.search\n        self.search = self._build(stage=stage, kept=kept)\n"
        "        with torch.no_grad():\n            for name, alpha in self.search.arch.alpha.items():\n"
        "                alpha.copy_(old.arch.alpha[name])\n\n    def _batches",
        NEW_STAGE,
    ),
    plant(
        "every stage starts from the same weights",
        "SearchTask._build",
        'name = "supernet" if stage == 0 else f"supernet of stage {stage}"',
        'name = "supernet"',
        NEW_STAGE,
    ),
    plant(
        "stages keep the weakest primitives",
        "strongest",
        "top = order[:, -min(count, values.shape[-1]) :]",
        "top = order[:, : min(count, values.shape[-1])]",
        GUARDS + "the_strongest_of_what_is_left_are_kept " + NEW_STAGE,
    ),
    plant(
        "a later stage takes back what an earlier one dropped",
        "strongest",
        "values = values.masked_fill(~present, -1.0)",
        "pass",
        GUARDS + "the_strongest_of_what_is_left_are_kept",
    ),
    plant(
        "the supernet keeps operations that its edges dropped",
        "MixedEdges.__init__",
        "if p in allowed and (kept is None or kept[e][i])",
        "if p in allowed",
        NEW_STAGE,
    ),
    plant(
        "stages do not grow",
        "SearchTask._build",
        "layers=recipe.search.layers + added,",
        "layers=recipe.search.layers,",
        HOOKS + "alpha_is_frozen_in_the_first_epochs_of_every_stage_and_the_learning_rate_starts_again",
    ),
    plant(
        "alpha is frozen in the first stage only",
        "BilevelSearch.step",
        "if position.epoch >= self.recipe.frozen_epochs:",
        "if epoch >= self.recipe.frozen_epochs:",
        HOOKS + "alpha_is_frozen_in_the_first_epochs_of_every_stage_and_the_learning_rate_starts_again",
    ),
    plant(
        "the skip limit is ignored",
        "SearchTask.genotype",
        "            self.recipe.derivation,\n",
        "            type(self.recipe).__dataclass_fields__['derivation'].default_factory(),\n",
        GUARDS + "a_search_derives_by_its_recipes_rule",
    ),
    plant(
        "the strongest skip is struck first",
        "SkipLimit.cell",
        "left[min(skips,",
        "left[max(skips,",
        GUARDS + "no_normal_cell_has_more_skips_than_the_limit_and_the_weakest_go_first",
    ),
]

STAGED = [*OUTPUTS, *STAGES]
