"""Planted mistakes in what parts and plug-ins add."""

from __future__ import annotations

from tests.mutations.mutation import plant

ADDED = "tests/search/test_added_parts.py::test_"
LOADING = "tests/test_loading_plugins.py::test_"

PARTS = [
    plant(
        "a penalty on alpha does not reach its gradient",
        "BilevelSearch._set_gradients",
        "parameter.grad + extra",
        "parameter.grad",
        ADDED + "a_penalty_is_in_the_gradient_of_alpha_and_not_in_the_loss_that_is_reported",
    ),
    plant(
        "a search that projects drops the penalties on alpha",
        "BilevelSearch._set_gradients",
        "if self._penalties:",
        "if self._penalties and self.projector is None:",
        ADDED + "a_penalty_is_in_the_gradient_of_alpha_and_not_in_the_loss_that_is_reported",
    ),
    plant(
        "parts that come on top are asked nothing",
        "Recipe.all_parts",
        ", *self.parts)",
        ",)",
        ADDED + "a_rule_on_top_sets_the_weight_decay_of_each_step",
    ),
    plant(
        "parts that come on top are not written down",
        "dump",
        "if plain or not isinstance(value, PartTable):",
        "if not isinstance(value, PartTable):",
        ADDED + "settings_build_what_is_registered_and_write_it_down_again",
    ),
    plant(
        "a part may stand in two places",
        "Parts.__init__",
        "if type(part) not in self.registered():",
        "if False:",
        ADDED + "a_part_stands_in_its_own_place_once_and_is_registered",
    ),
    plant(
        "what a part refuses is not asked",
        "Recipe._faults",
        "faults += part.refusals(self)",
        "pass",
        ADDED + "a_part_refuses_and_cites_by_itself",
    ),
    plant(
        "a run folder loads the plug-in that it names",
        "require_plugins",
        'if _plain(one.get("name")) not in there]',
        'if _plain(one.get("name")) not in there and not load_plugin(one["given"])]',
        LOADING + "a_folder_never_loads_what_it_names",
    ),
    plant(
        "every plug-in that is loaded is noted",
        "plugins_of",
        "if any(name in names for _, name in plugin.adds)",
        "",
        LOADING + "a_plugin_is_noted_where_something_of_it_stands_in_the_settings",
    ),
    plant(
        "workers do not hear of plug-ins",
        "load_plugin",
        "os.environ[ENVIRONMENT] = os.pathsep.join([*known, key])",
        "pass",
        LOADING + "what_runs_in_other_processes_loads_what_was_given_here",
    ),
    plant(
        "what edgewise registers counts as a plug-in's",
        "plugins:_load",
        "if name not in before.get(id(table), ())",
        "",
        LOADING + "a_file_is_loaded_once_and_says_what_it_adds",
    ),
    plant(
        "beta decay is as strong in the first epoch as in the last",
        "BetaDecay.penalty",
        "self.weight * position.epoch / position.epochs",
        "self.weight",
        "tests/methods/test_beta_decay.py::"
        "test_alphas_gradient_is_the_softmax_of_its_edge_over_the_number_of_edges",
    ),
    plant(
        "beta decay sums over edges",
        "BetaDecay.penalty",
        ".logsumexp(-1).mean()",
        ".logsumexp(-1).sum()",
        "tests/methods/test_beta_decay.py::"
        "test_alphas_gradient_is_the_softmax_of_its_edge_over_the_number_of_edges",
    ),
    plant(
        "beta decay counts primitives that were dropped",
        "BetaDecay.penalty",
        "arch.kept(name)",
        "None",
        "tests/methods/test_beta_decay.py::test_primitives_that_a_stage_has_dropped_neither_count_nor_move",
    ),
    plant(
        "Dirichlet mixtures are those of alpha, not of elu(alpha) + 1",
        "_DirichletSample.forward",
        "wide + 1",
        "wide",
        "tests/methods/test_dirichlet.py::test_samples_have_the_distributions_mean_and_variance",
    ),
    plant(
        "Dirichlet mixtures draw from the global stream",
        "_DirichletSample.forward",
        "_sample_dirichlet(concentration, generator)",
        "_sample_dirichlet(concentration)",
        "tests/methods/test_dirichlet.py::test_the_same_stream_gives_the_same_mixture_and_leaves_the_global_one_alone",
    ),
    plant(
        "Dirichlet mixtures of fewer primitives are not scaled up",
        "DirichletMixture.mixture",
        "drawn / drawn.sum(-1, keepdim=True)",
        "drawn",
        "tests/methods/test_dirichlet.py::test_dropped_primitives_get_nothing_and_the_others_their_own_distribution",
    ),
    plant(
        "alpha learns from the sample of a Dirichlet mixture as if elu were the identity",
        "_DirichletSample.forward",
        "total) * slope",
        "total)",
        "tests/methods/test_dirichlet.py::test_alphas_gradient_is_that_of_the_mean_on_average",
    ),
]
