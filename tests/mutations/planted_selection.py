"""Planted mistakes in the selection: who is trained, on what, for how long, and who wins."""

from __future__ import annotations

from tests.mutations.mutation import plant

TASK = "tests/selection/test_task.py::test_"
RUN = "tests/pipeline/test_selecting.py::test_"
SIZING = "tests/pipeline/test_sizing.py::test_"
SAMPLING = "tests/methods/test_sampling.py::test_"
RANDOM_SEARCH = "tests/pipeline/test_random_search.py::test_"
FRONT = "tests/pipeline/test_front.py::test_"
INTERRUPT = "tests/runtime/test_interrupt.py::test_"

SELECTION = [
    plant(
        "the arch split is trained on as well",
        "SelectionTask.__init__",
        "                images=splits.weights,\n",
        "                images=splits.train,\n",
        TASK + "test_images_and_for_the_weights_arch_images_are_not_read",
    ),
    plant(
        "the last rung ranks on test images",
        "SelectionTask._ranked_by",
        "            self._splits.arch,\n",
        "            self._splits.test.open(),\n",
        TASK + "test_images_and_for_the_weights_arch_images_are_not_read",
    ),
    plant(
        "the weaker half goes on",
        "SelectionTask._end_rung",
        'sign = 1 if by == "loss" else -1',
        'sign = -1 if by == "loss" else 1',
        TASK + "those_with_the_lowest_training_loss_go_on",
    ),
    plant(
        "those that go on begin their schedule again",
        "SelectionTask.step",
        "self._task.step(self._trained[self._name], step)",
        "self._task.step(step % 2, step)",
        TASK + "the_winner_has_been_trained_as_if_nobody_had_asked_in_between",
    ),
    plant(
        "a candidate that went out is trained on",
        "SelectionTask._end_rung",
        "self._rung + 1, order[:stay], 0",
        "self._rung + 1, list(order), 0",
        TASK + "who_went_out_is_not_trained_on",
    ),
    plant(
        "each candidate has images of its own",
        "SelectionTask.__init__",
        "                seed=seed,\n",
        "                seed=seed + len(entrant.name) + entrant.macs,\n",
        TASK + "all_candidates_see_the_same_images_in_the_same_order",
    ),
    plant(
        "of two that rank alike the dearer one goes on",
        "SelectionTask._end_rung",
        "(sign * self._figures[name][by], self._macs[name])",
        "(sign * self._figures[name][by], -self._macs[name])",
        TASK + "of_two_that_rank_alike_the_one_with_fewer_multiply_adds_goes_on",
    ),
    plant(
        "a training that diverges ends the selection",
        "SelectionTask.check_finite",
        "            except DivergedError as error:\n                self._reason = str(error)",
        "            except DivergedError:\n                raise",
        TASK + "one_that_diverges_is_put_out_with_its_reason_and_ends_nothing",
    ),
    plant(
        "a resumed selection has forgotten what candidates were ranked by",
        "SelectionTask.load_state_dict",
        'self._figures, self._reason = dict(state["figures"]), state["reason"]',
        'self._figures, self._reason = {}, state["reason"]',
        TASK + "a_selection_that_was_stopped_anywhere_ends_as_one_that_was_not",
    ),
    plant(
        "the random candidates have a larger budget",
        "candidates",
        "size_of(design, sizing, what",
        "size_of(design, sizing if design.kind != 'random' else Sizing(sizing.budget, {'params': 1e6}, "
        "sizing.subject), what",
        RUN + "all_candidates_keep_to_the_same_limit",
    ),
    plant(
        "equal cells take part twice",
        "list_candidates",
        "if any(design.genotype == genotype for design in designs):",
        "if False:",
        RUN + "equal_cells_take_part_once",
    ),
    plant(
        "the last of the ranking is trained",
        "Context.contender",
        "            return best[0]\n",
        '            return next(one for one in best if one["name"] == selection["order"][-1])\n',
        RUN + "the_winner_is_what_the_run_has_found",
    ),
    plant(
        "a hand-made network is measured without the facts that its file carries",
        "Sizing.export",
        "metadata=to_metadata(for_inference(self.subject.facts(design, spec))),",
        "metadata=to_metadata(for_inference(self.subject.facts(design, spec)))\n"
        '            if isinstance(design, Genotype) else {"image_size": "16"},',
        SIZING + "a_limit_on_size_holds_for_the_file_of_a_hand_made_network",
    ),
    plant(
        "operations are drawn by chance, whatever the mixture says",
        "sample_genotype",
        "drawn = values.double() / exponential",
        "drawn = (values.double() > 0) / exponential",
        SAMPLING + "each_operation_is_drawn_with_its_share_of_the_edge",
    ),
    plant(
        "an import that is interrupted raises, and may be swallowed",
        "EarlyInterrupt.__call__",
        "        if _imports(frame):",
        "        if False:",
        INTERRUPT + "a_ctrl_c_in_an_import_ends_the_process_at_once",
    ),
    plant(
        "a Ctrl-C that others swallowed is forgotten",
        "StopRequest.__enter__",
        "if isinstance(before, EarlyInterrupt) and before.heard:",
        "if False:",
        INTERRUPT + "a_ctrl_c_that_others_swallowed_stops_what_begins_later",
    ),
    plant(
        "random search is given the seconds of the selection alone",
        "seconds_to_spend",
        'for phase in ("search", "select"))',
        'for phase in ("select",))',
        RANDOM_SEARCH + "search_and_selection_are_paid_for_and_nothing_else",
    ),
    plant(
        "random search draws the random candidates again",
        "random_cells",
        'integer("random search")',
        'integer("random candidates")',
        RANDOM_SEARCH + "random_cells_are_distinct_and_from_a_stream_of_their_own",
    ),
    plant(
        "every budget is the first one",
        "Settings.for_each_budget",
        "replace(self, budget=one, budgets=())",
        "replace(self, budget=self.budgets[0], budgets=())",
        FRONT + "the_settings_of_each_budget_have_it_alone",
    ),
    plant(
        "a network that another beats is on the front",
        "front_of",
        "if not kept or points[name][1] > points[kept[-1]][1]:",
        "if not kept or points[name][1] != points[kept[-1]][1]:",
        FRONT + "who_is_beaten_is_not_on_the_front",
    ),
    plant(
        "the knee is sought over the cost, not over its logarithm",
        "knee_of",
        "- math.log(cost / first[0]) / width",
        "- (cost - first[0]) / (last[0] - first[0])",
        FRONT + "the_knee_lies_farthest_above_the_line",
    ),
    plant(
        "whatever is picked, the knee is taken",
        "picked",
        '(front["knee"] if pick == KNEE else pick)',
        'front["knee"]',
        FRONT + "a_budget_or_the_knee_is_picked_by_its_name",
    ),
]
