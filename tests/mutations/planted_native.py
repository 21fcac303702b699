"""Mistakes in the kernels and in how they are used: each gives a network that trains, and is another."""

from __future__ import annotations

from tests.mutations.mutation import plant

NATIVE = "tests/nn/test_native.py::test_"
SAME = NATIVE + "logits_gradients_and_statistics_are_those_of_the_plain_supernet"
ON_KERNELS = "tests/nn/test_trained_on_kernels.py::test_"
TRAINED = ON_KERNELS + "outputs_gradients_and_statistics_of_depthwise_convolutions_are_those_of_the_modules"
BUILD = "tests/nn/test_native_build.py::test_"
SPEED = "tests/pipeline/test_speed_advice.py::test_"
PLAIN = "tests/nn/test_trained_on_kernels.py::TestPlainInstead::"

NATIVE_KERNELS = [
    plant(
        "the kernels skip the channel shuffle",
        "Layout.mixed",
        "np.arange(self.share, dtype=np.int64) * self.k",
        "np.arange(self.share, dtype=np.int64)",
        SAME,
    ),
    plant(
        "the kernels take batch statistics for constants in the backward pass",
        "Backward._behind_norm",
        "b = -a * norms.rstd * sums.normed(norms) / self.count",
        "b = np.zeros_like(a)",
        SAME,
    ),
    plant(
        "the kernels lose the gradient of beta",
        "Backward._dots",
        "self.gradients.edges[edge] += whole * self.coefficients.mixture[edge, term.primitive]",
        "pass",
        SAME,
    ),
    plant(
        "the kernels record statistics in frozen passes",
        "NativeEngine.__call__",
        "record=training and all(norm.track_running_stats for norm in islice(norms, 1)),",
        "record=training,",
        NATIVE + "within_frozen_statistics_nothing_is_recorded",
    ),
    plant(
        "the kernels use the batch's statistics in evaluation",
        "NativeEngine.__call__",
        "            training=training,",
        "            training=True,",
        NATIVE + "in_evaluation_mode_the_running_statistics_count_and_stay",
    ),
    plant(
        "the kernels can be differentiated twice, wrongly",
        "CellFunction.backward",
        "if torch.is_grad_enabled():",
        "if False:",
        NATIVE + "a_second_derivative_is_refused_instead_of_wrong",
    ),
    plant(
        "trainings' kernels take batch statistics for constants in the backward pass",
        "Batch.back",
        "b = -a * norms.rstd * dgamma / self.count",
        "b = np.zeros_like(a)",
        TRAINED,
    ),
    plant(
        "trainings' kernels leave a batch norm's scale out of the way back",
        "Batch.back",
        "norms, a = self.norms, self.affine.scale",
        "norms, a = self.norms, self.norms.rstd",
        TRAINED,
    ),
    plant(
        "the second pair of a separable convolution hears the first without its batch norm's scale and shift",
        "SeparableFunction.forward",
        "into = batch.affine",
        "into = batch.norms.affine",
        TRAINED,
    ),
    plant(
        "both grids of a factorised reduction are the same",
        "pointwise.h",
        "const int64_t at = i * p.stride + grid;\n        const T* row = x + (c * p.h + at) * p.w + grid;",
        "const int64_t at = i * p.stride;\n        const T* row = x + (c * p.h + at) * p.w;",
        ON_KERNELS + "outputs_gradients_and_statistics_of_the_others_are_those_of_the_modules",
    ),
    plant(
        "variances are taken from plain sums of squares and lose digits where a mean is far from zero",
        "vectors.h",
        "const T mean = sum / T(size);",
        "const T mean = 0;",
        ON_KERNELS + "in_float32_the_kernels_are_as_close_to_float64_as_the_modules_are",
    ),
    plant(
        "average pools count the padding",
        "terms.h",
        "return T(1) / T(std::min(i + 2, size) - std::max<int64_t>(i - 1, 0));",
        "return T(1) / T(3);",
        ON_KERNELS + "outputs_gradients_and_statistics_of_the_others_are_those_of_the_modules",
    ),
    plant(
        "the kernels run although somebody listens to a part",
        "OnEngine.replaceable",
        "and not any(map(_has_hooks, parts))",
        "and True",
        PLAIN + "test_where_somebody_listens_to_a_part",
    ),
    plant(
        "the kernels know one process's images where batch norms know all",
        "OnEngine.replaceable",
        "and all(type(part) is kind for part, kind in zip(parts, kinds, strict=True))",
        "and all(isinstance(part, nn.Module) for part, kind in zip(parts, kinds, strict=True))",
        PLAIN + "test_where_a_part_is_another_one",
    ),
    plant(
        "the kernels record statistics in frozen passes of a derived network",
        "affine:_known",
        "        and norm.track_running_stats\n",
        "",
        PLAIN + "test_within_frozen_statistics",
    ),
    plant(
        "the kernels use the batch's statistics when a derived network is tested",
        "OnEngine.replaceable",
        "            and self.training\n",
        "",
        ON_KERNELS + "all_kernels_run_in_a_network_on_auto_and_none_in_evaluation_or_plain",
    ),
    plant(
        "trainings ignore the engine they are told",
        "TrainTask.__init__",
        '"plain" if compute.compiles else settings.engine',
        '"auto"',
        "tests/train/test_engines.py::test_trainings_are_on_auto_unless_they_are_told_otherwise_or_compiled",
    ),
    plant(
        "trainings' kernels read images of another layout as if they were contiguous",
        "can_train",
        "        and x.is_contiguous()\n",
        "",
        PLAIN + "test_for_inputs_of_another_kind",
    ),
    plant(
        "trainings' kernels can be differentiated twice, wrongly",
        "refuse_twice",
        "if torch.is_grad_enabled():",
        "if False:",
        PLAIN + "test_but_a_second_derivative_is_refused_instead_of_wrong",
    ),
    plant(
        "trainings' kernels make an average of one value without saying that it has no variance",
        "can_train",
        "        and x.shape[0] * pixels > 1\n",
        "",
        PLAIN + "test_and_one_value_a_channel_is_refused_as_ever",
    ),
    plant(
        "trainings' kernels record a plain mean of statistics as a moving one",
        "affine:_known",
        "        and norm.momentum is not None\n",
        "",
        PLAIN + "test_where_running_statistics_are_a_plain_mean",
    ),
    plant(
        "a damaged library of kernels is loaded",
        "load_kept",
        'if hashlib.sha256(library.read_bytes()).hexdigest() != note.read_text(errors="replace").strip():',
        "if False:",
        BUILD + "a_library_that_was_cut_does_not_kill_the_process",
    ),
    plant(
        "kernels are loaded from a folder that others may write",
        "check_owner",
        "if not others_may_add and (shared or found.st_mode & stat.S_IWOTH):",
        "if not others_may_add and shared:",
        BUILD + "a_folder_that_others_may_write_is_not_used",
    ),
    plant(
        "the folders above that of the kernels are not looked at",
        "prepare",
        "for part in (folder, *folder.parents):",
        "for part in (folder,):",
        BUILD + "a_folder_that_others_may_write_is_not_used",
    ),
    plant(
        "a library that is no library of kernels is kept as one",
        "load_new",
        "        library = _opened(made)\n        if folder",
        "        library = ctypes.CDLL(None)\n        if folder",
        BUILD + "a_compiler_that_fails_is_a_fault_with_its_own_last_line_and_nothing_is_kept",
    ),
    plant(
        "a process loads the half-written library of another",
        "load_new",
        "dir=folder, ignore_cleanup_errors=True) as work:\n        made = Path(work) / name",
        "dir=folder, ignore_cleanup_errors=True) as work:\n        made = (folder or Path(work)) / name",
        BUILD + "a_compiler_that_fails_is_a_fault_with_its_own_last_line_and_nothing_is_kept",
    ),
    plant(
        "a run without kernels keeps it to itself",
        "run:_introduce",
        "        announce_kernels(folder, progress)\n",
        "        pass\n",
        SPEED + "a_run_without_kernels_warns_once_before_it_begins_and_records_the_compilers_words",
    ),
]
