"""The cells of any epoch can be derived again from what the trace recorded."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from edgewise.core import RunError
from edgewise.pipeline.derive import derive_epoch
from edgewise.spaces import Genotype
from tests.pipeline.small import trace


@pytest.mark.parametrize("epoch", [0, 1, 2])
def test_deriving_an_epoch_gives_the_genotype_that_its_trace_record_holds(whole, epoch: int) -> None:
    genotype, found = derive_epoch(whole.folder, epoch)
    assert found == epoch
    assert genotype == Genotype.from_dict(trace(whole.folder, "search")[epoch]["genotype"])


def test_epochs_differ_so_that_a_wrong_epoch_would_be_seen(whole) -> None:
    assert derive_epoch(whole.folder, 0)[0] != derive_epoch(whole.folder, 2)[0]


def test_without_an_epoch_the_last_one_is_derived(whole) -> None:
    genotype, epoch = derive_epoch(whole.folder)
    assert (genotype, epoch) == (whole.result.genotype, 2)


def test_beta_counts_in_the_derivation(whole, tmp_path: Path) -> None:
    import json

    folder = shutil.copytree(whole.folder, tmp_path / "run")
    records = trace(folder)
    last = [record for record in records if record["phase"] == "search"][-1]
    # Node 5 hears edges 9 to 13; a strong beta on the first two must win over any alpha.
    last["beta"]["normal"][9:14] = [50.0, 49.0, 0.0, 0.0, 0.0]
    (folder / "trace.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    genotype, _ = derive_epoch(folder)
    assert [edge.source for edge in genotype.cells["normal"].into(5)] == [0, 1]


def test_the_source_of_derived_cells_names_recipe_and_epoch(whole) -> None:
    genotype, _ = derive_epoch(whole.folder, 1)
    assert genotype.source is not None
    assert "pc-darts-gp" in genotype.source
    assert "epoch 1" in genotype.source


@pytest.mark.parametrize("epoch", [-1, 3])
def test_an_epoch_that_is_not_recorded_is_refused_with_those_that_are(whole, epoch: int) -> None:
    with pytest.raises(RunError, match=rf"epoch {epoch} is not recorded; there are 0 to 2"):
        derive_epoch(whole.folder, epoch)


def test_a_run_without_a_search_is_refused(whole, tmp_path: Path) -> None:
    folder = shutil.copytree(whole.folder, tmp_path / "run")
    (folder / "trace.jsonl").unlink()
    with pytest.raises(RunError, match="no epoch of a search"):
        derive_epoch(folder)


def test_deriving_leaves_the_run_folder_as_it_is(whole, tmp_path: Path) -> None:
    from tests.pipeline.small import snapshot

    before = snapshot(whole.folder)
    derive_epoch(whole.folder, 0)
    assert snapshot(whole.folder) == before
