"""What a search measures about itself, against numbers computed in another way or by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from edgewise.data import Batch, in_order
from edgewise.methods import Diagnostics
from edgewise.nn import Mixture
from edgewise.nn import edges as edges_module
from edgewise.search import BilevelSearch
from edgewise.search.diagnostics import (
    discretisation_gap,
    hessian_eigenvalue,
    mixture_shares,
    one_hot_mixture,
)
from edgewise.search.records import epoch_record
from edgewise.spaces import Genotype
from edgewise.spaces.cells import Cell, Edge
from edgewise.spaces.space import CellSpace
from edgewise.spaces.topology import Topology
from tests.search.family import named, quick_task, run
from tests.search.probe import statistics
from tests.search.problem import (
    gradients_of,
    make_batch,
    make_search,
    make_splits,
    same,
    snapshot,
    weights_of,
)

pytestmark = pytest.mark.usefixtures("small_space")

ARCH = make_batch(2, size=8)
ONE = CellSpace("one", Topology.dense(2, 1), ("none", "skip_connect", "avg_pool_3x3", "sep_conv_3x3"))


def full_hessian(search: BilevelSearch, batch: Batch) -> Tensor:
    """The matrix, a row at a time, from a loss that is written out here."""
    alphas = list(search.arch.alpha.values())
    mixtures = {name: Mixture(torch.softmax(a, -1)) for name, a in search.arch.alpha.items()}
    loss = F.cross_entropy(search.supernet(batch.x, mixtures), batch.y)
    gradients = torch.autograd.grad(loss, alphas, create_graph=True)
    rows = []
    for entry in torch.cat([g.flatten() for g in gradients]):
        row = torch.autograd.grad(entry, alphas, retain_graph=True)
        rows.append(torch.cat([part.flatten() for part in row]))
    return torch.stack(rows)


@pytest.mark.parametrize("seed", [3, 4, 5])
def test_the_eigenvalue_is_the_full_hessians_largest_plus_alphas_weight_decay(seed: int) -> None:
    recipe = named("darts-v1")
    search = make_search(replace(recipe, arch=replace(recipe.arch, weight_decay=0.02)), seed=seed, space=ONE)
    found = hessian_eigenvalue(search, ARCH, torch.Generator().manual_seed(seed))
    values = torch.linalg.eigvalsh(full_hessian(search, ARCH))
    assert found["eigenvalue"] == pytest.approx(float(values[-1]) + 0.02, abs=1e-4 * float(values.abs().max()))
    assert float(values[-1]) + 0.02 != pytest.approx(float(values[0]) + 0.02, rel=0.1)
    nearest = (values + 0.02 - found["eigenvalue"]).abs().min()
    assert float(nearest) <= found["residual"] + 1e-12
    assert found["products"] <= 16


def test_the_eigenvalue_leaves_weights_alpha_gradients_and_statistics_alone() -> None:
    search = make_search(named("pc-darts"))
    search.arch_step(make_batch(2))
    search.weights_step(make_batch(1), 0.1)

    def state() -> list[object]:
        parts = (search.supernet, search.arch)
        return [*map(snapshot, parts), *map(gradients_of, parts), statistics(search.supernet)]

    before = state()
    found = hessian_eigenvalue(search, make_batch(2), torch.Generator().manual_seed(1))
    assert same(state(), before)
    assert found["eigenvalue"] > 0


def test_a_task_takes_the_eigenvalue_on_the_arch_split_through_a_stream_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from edgewise.search import task as task_module

    seen: list[Batch] = []

    def noted(search: BilevelSearch, batch: Batch, generator: torch.Generator) -> dict[str, float]:
        seen.append(batch)
        return {"eigenvalue": 1.0, "residual": 0.0, "products": 1}

    monkeypatch.setattr(task_module, "hessian_eigenvalue", noted)
    recipe = replace(named("darts-v1", epochs=4), diagnostics=Diagnostics(hessian_every=2))
    splits = make_splits(weights=8, arch=8)
    task = quick_task(recipe)
    records = run(task).records
    assert [record["hessian"] is not None for record in records] == [True, False, True, True]
    assert torch.equal(task.probe._images.pixels, splits.arch.pixels)
    for batch in seen:
        assert torch.equal(batch.y, splits.arch.labels[batch.index])


def test_shares_are_means_over_edges_and_sum_to_one() -> None:
    primitives = ("none", "max_pool_3x3", "skip_connect", "sep_conv_3x3", "noise", "avg_pool_3x3")
    rows = torch.tensor([[0.1, 0.2, 0.3, 0.4, 0.0, 0.0], [0.3, 0.1, 0.1, 0.2, 0.2, 0.1]])
    shares = mixture_shares({"normal": rows}, primitives)["normal"]
    assert shares == pytest.approx({"skip": 0.2, "pool": 0.2, "none": 0.3, "parametrised": 0.3}, rel=1e-6)
    assert sum(shares.values()) == pytest.approx(1.0)


def test_the_records_shares_are_those_of_its_mixture() -> None:
    record = run(quick_task(named("gdas"))).records[-1]
    for name, rows in record["mixture"].items():
        means = [sum(column) / 5 for column in zip(*rows, strict=True)]
        expected = {
            "none": means[0],
            "pool": means[1] + means[2],
            "skip": means[3],
            "parametrised": sum(means[4:]),
        }
        assert record["shares"][name] == pytest.approx(expected, rel=1e-6)
        assert sum(record["shares"][name].values()) == pytest.approx(1.0, rel=1e-6)


def test_the_records_cosines_are_symmetric_have_a_unit_diagonal_and_are_the_means_over_the_steps() -> None:
    task = quick_task(named("darts-v1"))
    rows: list[Tensor] = []
    meter = task.search.meter.cosines

    def noted(values: Tensor) -> Tensor:
        rows.append(values.double().clone())
        return meter(values)

    task.search.meter.cosines = noted  # type: ignore[method-assign]
    for step in (0, 1):
        task.step(0, step)
    groups = task.finish_epoch(0)["conflicts"]["groups"]
    taken = rows[1::2]  # Each step asks twice, for the rates first.
    assert len(taken) == 2
    edges = {2: (0, 1), 3: (2, 3, 4)}
    for group in groups:
        matrix = torch.tensor(group["cosines"], dtype=torch.float64)
        torch.testing.assert_close(matrix, matrix.T, rtol=0.0, atol=1e-12)
        torch.testing.assert_close(matrix.diagonal(), torch.ones(len(matrix)).double(), rtol=1e-9, atol=0.0)
        c = ("normal", "reduce").index(group["cell"])
        for i, e in enumerate(edges[group["node"]]):
            for j, f in enumerate(edges[group["node"]]):
                both = [F.cosine_similarity(r[c, e], r[c, f], dim=0) for r in taken]
                assert matrix[i, j].item() == pytest.approx(float(sum(both)) / 2, abs=1e-9)


def genotype_of(primitive: str) -> Genotype:
    """Both cells of the space with one node."""
    cell = Cell(2, 1, (Edge(2, 0, primitive), Edge(2, 1, primitive)), (2,))
    return Genotype("one", {"normal": cell, "reduce": cell})


def test_the_gap_is_nothing_where_alpha_has_decided_and_something_where_it_has_not() -> None:
    search = make_search(named("darts-v1"), space=ONE)
    for epoch in range(12):
        search.weights_step(ARCH, 0.05 if epoch else 0.01)
    chosen = "sep_conv_3x3"
    with torch.no_grad():
        for alpha in search.arch.alpha.values():
            alpha.fill_(-1e4)
            alpha[:, ONE.primitives.index(chosen)] = 0.0
    decided = discretisation_gap(search, [ARCH, ARCH], genotype_of(chosen))
    assert decided["mixture"] == decided["derived"]
    assert (decided["gap"], decided["images"]) == (0.0, 16)
    # Where alpha stands for something else, the two accuracies are those of two networks.
    other = discretisation_gap(search, [ARCH], genotype_of("skip_connect"))
    assert other["mixture"] == decided["mixture"]
    with torch.no_grad():
        logits = search.supernet(ARCH.x, one_hot_mixture(search, genotype_of("skip_connect")))
    assert other["derived"] == (logits.argmax(1) == ARCH.y).double().mean().item()
    assert other["gap"] == other["mixture"] - other["derived"] != 0.0


def test_the_gap_moves_no_statistics_no_weights_and_no_mode() -> None:
    search = make_search(named("pc-darts"))
    search.weights_step(make_batch(1), 0.1)
    before = statistics(search.supernet), weights_of(search.supernet), snapshot(search.arch)
    task = quick_task(named("pc-darts"))
    discretisation_gap(search, [make_batch(2)], task.genotype())
    assert same((statistics(search.supernet), weights_of(search.supernet), snapshot(search.arch)), before)
    assert all(module.training for module in search.supernet.modules())


def test_the_gap_runs_on_the_searchs_engine_and_is_the_same_on_all(monkeypatch: pytest.MonkeyPatch) -> None:
    found, cells = {}, {"plain": 0, "grouped": 0, "auto": 0}
    mix_nodes = edges_module.mix_nodes
    for engine in cells:
        base = named("pc-darts")
        search = make_search(replace(base, search=replace(base.search, engine=engine)))  # type: ignore[arg-type]

        def note(*arguments, engine: str = engine):
            cells[engine] += 1
            return mix_nodes(*arguments)

        monkeypatch.setattr(edges_module, "mix_nodes", note)
        found[engine] = discretisation_gap(search, [make_batch(2, size=32)], quick_task(base).genotype())
    assert found["auto"] == found["grouped"] == found["plain"]
    # Both mixtures through three cells.
    assert cells == {"plain": 6, "grouped": 0, "auto": 0}


def test_the_gap_is_taken_on_the_first_images_of_the_arch_split(monkeypatch: pytest.MonkeyPatch) -> None:
    from edgewise.search import task as task_module

    seen: list[Batch] = []

    def noted(search: BilevelSearch, batches, genotype: Genotype) -> dict[str, float]:
        seen.extend(batches)
        return {"gap": 0.0}

    monkeypatch.setattr(task_module, "discretisation_gap", noted)
    task = quick_task(replace(named("darts-v1"), diagnostics=Diagnostics(gap_every=1, gap_images=6)))
    task.step(0, 0)
    task.finish_epoch(0)
    splits = make_splits(weights=8, arch=8)
    expected = next(iter(in_order(splits.arch, 6, splits.normalisation, torch.device("cpu"))))
    assert torch.equal(torch.cat([batch.x for batch in seen]), expected.x)


def test_the_one_hot_mixture_is_the_genotype_and_nothing_else() -> None:
    search = make_search(named("darts-v1"), space=ONE)
    for name, mixture in one_hot_mixture(search, genotype_of("avg_pool_3x3")).items():
        assert mixture.weights.tolist() == [[0.0, 0.0, 1.0, 0.0]] * 2, name
        assert mixture.active is not None
        assert mixture.active.tolist() == [[False, False, True, False]] * 2


def test_the_records_depth_and_width_are_the_cells() -> None:
    task = quick_task(named("darts-v1"))
    task.step(0, 0)
    assert task._last is not None
    chain = Cell(
        2,
        2,
        (
            Edge(2, 0, "skip_connect"),
            Edge(2, 1, "skip_connect"),
            Edge(3, 2, "sep_conv_3x3"),
            Edge(3, 0, "max_pool_3x3"),
        ),
        (2, 3),
    )
    flat = Cell(2, 2, (*chain.edges[:2], Edge(3, 0, "sep_conv_3x3"), Edge(3, 1, "max_pool_3x3")), (2, 3))
    genotype = Genotype("small", {"normal": chain, "reduce": flat})
    record = epoch_record(task.search, task.sums, task._last, genotype)
    assert record["depth"] == {"normal": 2, "reduce": 1}
    assert record["width"] == {"normal": 2, "reduce": 2}
    assert record["skips"] == {"normal": 2, "reduce": 2}
