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
        "methods/skips.py",
        "            if stride != 1:\n",
        "            if stride == 0:\n",
        HOOKS + "dropout_reaches_skips_of_stride_1_and_nothing_else",
    ),
    plant(
        "the dropout rate does not follow the epoch",
        "methods/skips.py",
        "return start * math.exp(-self.decay * (moment.epoch - frozen))",
        "return start",
        HOOKS + "the_dropout_rate_follows_stage_and_epoch",
    ),
    plant(
        "the dropout rate is the first stage's",
        "search/bilevel.py",
        "recipe.skip_dropout.rate(self.stage,",
        "recipe.skip_dropout.rate(0,",
        HOOKS + "the_dropout_rate_follows_stage_and_epoch",
    ),
    plant(
        "dropout does not scale what it keeps",
        "methods/skips.py",
        "kept.to(out.dtype) / (1.0 - rate)",
        "kept.to(out.dtype)",
        HOOKS + "dropout_reaches_skips_of_stride_1_and_nothing_else",
    ),
    plant(
        "noise reaches every operation",
        "nn/hooks.py",
        "if primitive in self.primitives else None",
        "if primitive else None",
        HOOKS + "noise_reaches_skips_of_both_strides_and_nothing_else",
    ),
    plant(
        "the adversary looks through noise",
        "search/bilevel.py",
        "self.supernet(batch.x, mixtures, edge_weights, engine=engine)",
        "self.supernet(batch.x, mixtures, edge_weights, self.hooks(moment), engine=engine)",
        HOOKS + "the_adversary_sees_no_noise",
    ),
    plant(
        "drop-path does not reach the edges",
        "nn/edges.py",
        "if hooks.edge is not None:",
        "if False:",
        HOOKS + "drop_path_reaches_every_edge_with_the_probability_of_the_epoch",
    ),
    plant(
        "an operation's hook is told the wrong stride",
        "nn/edges.py",
        "            stride=stride,\n        )",
        "            stride=1,\n        )",
        HOOKS + "the_hook_meets_every_operation_with_its_own_name_and_stride_in_both_steps",
    ),
    plant(
        "noise draws from the stream of drop-path",
        "search/bilevel.py",
        'self.streams.generator("noise", device)',
        'self.streams.generator("search drop-path", device)',
        NEUTRAL + "switching_one_drawing_part_off_moves_the_stream_of_no_other[noise]",
    ),
    plant(
        "the weight decay of the epoch does not reach SGD",
        "search/bilevel.py",
        'group["weight_decay"] = self.recipe.weights.weight_decay if weight_decay is None else weight_decay',
        "pass",
        HOOKS + "weight_decay_stands_still_rises_on_a_line_or_is_multiplied_up_to_its_limit",
    ),
]

STAGES = [
    plant(
        "a new stage keeps the old alpha",
        "search/task.py",
        "        self.search = self._build(stage=stage, kept=kept)\n\n    def _batches",
        "        old = self.search\n        self.search = self._build(stage=stage, kept=kept)\n"
        "        with torch.no_grad():\n            for name, alpha in self.search.arch.alpha.items():\n"
        "                alpha.copy_(old.arch.alpha[name])\n\n    def _batches",
        NEW_STAGE,
    ),
    plant(
        "every stage starts from the same weights",
        "search/task.py",
        'name = "supernet" if stage == 0 else f"supernet of stage {stage}"',
        'name = "supernet"',
        NEW_STAGE,
    ),
    plant(
        "stages keep the weakest primitives",
        "methods/stages.py",
        "top = order[:, -min(count, values.shape[-1]) :]",
        "top = order[:, : min(count, values.shape[-1])]",
        GUARDS + "the_strongest_of_what_is_left_are_kept " + NEW_STAGE,
    ),
    plant(
        "a later stage takes back what an earlier one dropped",
        "methods/stages.py",
        "values = values.masked_fill(~present, -1.0)",
        "pass",
        GUARDS + "the_strongest_of_what_is_left_are_kept",
    ),
    plant(
        "the supernet keeps operations that its edges dropped",
        "nn/edges.py",
        "if p in allowed and (kept is None or kept[e][i])",
        "if p in allowed",
        NEW_STAGE,
    ),
    plant(
        "stages do not grow",
        "search/task.py",
        "layers=recipe.search.layers + added,",
        "layers=recipe.search.layers,",
        HOOKS + "alpha_is_frozen_in_the_first_epochs_of_every_stage_and_the_learning_rate_starts_again",
    ),
    plant(
        "alpha is frozen in the first stage only",
        "search/bilevel.py",
        "if moment.epoch >= self.recipe.frozen_epochs:",
        "if epoch >= self.recipe.frozen_epochs:",
        HOOKS + "alpha_is_frozen_in_the_first_epochs_of_every_stage_and_the_learning_rate_starts_again",
    ),
    plant(
        "the skip limit is ignored",
        "search/task.py",
        "            self.recipe.derivation,\n",
        "            type(self.recipe).__dataclass_fields__['derivation'].default_factory(),\n",
        GUARDS + "a_search_derives_by_its_recipes_rule",
    ),
    plant(
        "the strongest skip is struck first",
        "methods/derivation.py",
        "weakest = min(edges,",
        "weakest = max(edges,",
        GUARDS + "no_normal_cell_has_more_skips_than_the_limit_and_the_weakest_go_first",
    ),
]

STAGED = [*OUTPUTS, *STAGES]
