"""The cells of any epoch can be derived again from what the trace recorded."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from edgewise.errors import RunError
from edgewise.pipeline import start
from edgewise.pipeline.derive import derive_epoch
from edgewise.spaces import Genotype
from edgewise.spaces.notation import genotype_from_file
from tests.pipeline.small import one_thread, options, small, trace


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


# Few images, and alpha far from where it starts.
FEW = ("data.train_images=64", "search.channels=4", "search.trace_steps=false", "warm_up=none", "arch.lr=0.3")


def searched(folder: Path, recipe: str, *sets: str) -> Path:
    """A search of seconds."""
    with one_thread():
        start(small(*FEW, *sets, recipe=recipe), folder, options=options(), command="search")
    return folder


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search in three stages of an epoch each."""
    return searched(tmp_path_factory.mktemp("staged") / "run", "p-darts", "stages.add_layers=[0, 0, 0]")


def test_cells_of_a_search_that_dropped_primitives_are_those_of_its_genotype_json(staged: Path) -> None:
    genotype, epoch = derive_epoch(staged)
    assert epoch == 2
    assert genotype.cells == genotype_from_file(staged / "genotype.json").cells


@pytest.mark.parametrize("epoch", [0, 1, 2])
def test_every_stage_is_derived_from_the_primitives_that_it_kept(staged: Path, epoch: int) -> None:
    record = trace(staged, "search")[epoch]
    kept = {sum(value > 0 for value in row) for rows in record["mixture"].values() for row in rows}
    assert kept == {(8, 5, 3)[epoch]}
    assert derive_epoch(staged, epoch)[0] == Genotype.from_dict(record["genotype"])


def test_cells_of_a_space_whose_edges_differ_are_those_of_its_genotype_json(tmp_path: Path) -> None:
    folder = searched(tmp_path / "run", "darts", "space=s1", "search.epochs=1")
    assert derive_epoch(folder)[0].cells == genotype_from_file(folder / "genotype.json").cells


@pytest.mark.parametrize(("action", "epoch"), [("stop", 0), ("roll back", 2)])
def test_a_stopped_search_is_derived_at_the_epoch_whose_cells_it_took(
    whole, tmp_path: Path, action: str, epoch: int
) -> None:
    folder = shutil.copytree(whole.folder, tmp_path / "run")
    records = trace(folder, "search")
    records[-1]["decision"] = {"action": action, "detected": 2, "epoch": 0}
    (folder / "trace.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    genotype, found = derive_epoch(folder)
    assert found == epoch
    assert genotype == Genotype.from_dict(records[epoch]["genotype"])
