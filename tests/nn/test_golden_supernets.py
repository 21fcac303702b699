"""Supernets against numbers of the authors' code: logits, loss, alpha and beta gradients, derived cells."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from edgewise.methods import ArchParameters, Softmax, TopEdges, derive
from edgewise.nn import Supernet, SupernetSpec, count_params
from edgewise.spaces import DARTS, SPACES, Cell
from tests.nn.golden import fill, images, parameters


def golden_arch(*, beta: bool) -> ArchParameters:
    arch = ArchParameters(DARTS, beta=beta, generator=torch.Generator()).double()
    with torch.no_grad():
        for q, name in enumerate(("normal", "reduce")):
            arch.alpha[name].copy_(parameters(q, 14 * 8).view(14, 8))
            if beta:
                arch.beta[name].copy_(parameters(q + 2, 14))
    return arch


def as_cell(entry: dict, name: str) -> Cell:
    return Cell.from_pairs([tuple(pair) for pair in entry[name]], entry[f"{name}_concat"])


@pytest.mark.parametrize(("key", "k", "beta"), [("darts", 1, False), ("pc", 4, True)])
def test_a_supernet_gives_the_authors_logits_loss_and_architecture_gradients(golden, key, k, beta):
    expected = golden["supernet_C8_L4"][key]
    supernet = fill(Supernet(DARTS, SupernetSpec(channels=8, layers=4, classes=10, k=k)))
    assert count_params(supernet) == expected["params"]
    arch = golden_arch(beta=beta)
    mixture = arch.mixture(Softmax())
    logits = supernet(images(4), mixture, arch.edge_weights())
    loss = F.cross_entropy(logits, torch.arange(4))
    parts = dict(
        zip(("alpha_normal", "alpha_reduce", "beta_normal", "beta_reduce"), arch.parameters(), strict=False)
    )
    gradients = dict(zip(parts, torch.autograd.grad(loss, list(parts.values())), strict=True))

    def close(got, want):
        torch.testing.assert_close(got, torch.tensor(want, dtype=torch.float64), rtol=1e-9, atol=1e-12)

    close(logits[0].detach(), expected["logits_row0"])
    assert loss.item() == pytest.approx(expected["loss"], rel=1e-9)
    close(gradients["alpha_normal"], expected["grad_alpha_normal"])
    close(gradients["alpha_reduce"][0], expected["grad_alpha_reduce_row0"])
    assert gradients["alpha_reduce"].norm().item() == pytest.approx(expected["grad_alpha_reduce_norm"], rel=1e-9)
    if beta:
        close(gradients["beta_normal"], expected["grad_beta_normal"])
        close(gradients["beta_reduce"], expected["grad_beta_reduce"])
    genotype = derive(DARTS, arch, Softmax(), TopEdges())
    for name in ("normal", "reduce"):
        assert genotype.cells[name] == as_cell(expected["genotype"], name)


@pytest.mark.parametrize("case", [0, 1])
@pytest.mark.parametrize(("method", "beta"), [("darts", False), ("pcdarts", True)])
def test_cells_are_derived_as_the_authors_derive_them(golden, case, method, beta):
    entry = golden["derivation"][case]
    step = 1.1 + entry["s"]
    arch = golden_arch(beta=beta)
    with torch.no_grad():
        for q, name in enumerate(("normal", "reduce")):
            arch.alpha[name].copy_(parameters(q, 14 * 8, 1.0, step).view(14, 8))
            if beta:
                arch.beta[name].copy_(parameters(q + 2, 14, 1.0, step))
    genotype = derive(DARTS, arch, Softmax(), TopEdges())
    for name in ("normal", "reduce"):
        assert genotype.cells[name] == as_cell(entry[method], name)


@pytest.mark.parametrize(
    ("layers", "k", "params"),
    [(8, 1, 1_930_618), (8, 4, 299_578), (5, 1, 1_275_834), (11, 1, 2_585_146), (17, 1, 3_894_202)],
)
def test_a_supernet_has_the_authors_number_of_weights(layers, k, params):
    with torch.device("meta"):
        assert count_params(Supernet(DARTS, SupernetSpec(channels=16, layers=layers, classes=10, k=k))) == params


@pytest.mark.parametrize(("space", "params"), [("s1", 405_146), ("s2", 665_466), ("s3", 665_466), ("s4", 624_506)])
def test_a_supernet_of_robust_darts_has_the_authors_number_of_weights(space, params):
    with torch.device("meta"):
        net = Supernet(SPACES[space], SupernetSpec(channels=16, layers=8, classes=10))
    assert count_params(net) == params
