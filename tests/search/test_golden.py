"""Three steps of a search in float64, pinned: PC-DARTS is the projection's recipe without it, and differs from it.

The numbers were computed with this code. They hold a search as it is; that it is the authors' search is checked
by the golden numbers of the supernets and by the by-hand tests of the steps.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
import torch

from edgewise.data import Batch
from edgewise.methods import DARTS_V1, PC_DARTS, PC_DARTS_GP, ArchParameters, ArchSettings, Recipe, derive
from edgewise.nn import EngineName, Supernet, SupernetSpec
from edgewise.runtime.compute import Compute
from edgewise.runtime.random import Streams
from edgewise.search import BilevelSearch, SearchBatches
from edgewise.spaces import DARTS
from tests.nn.golden import fill, parameters, uniform
from tests.search.problem import Feed

STEPS = 3
PINNED: dict[str, dict[str, list[float] | str]] = {
    "darts": {
        "weights": [0.9211132156400293, 1.4393197938502618, 0.28951670909203586],
        "arch": [1.671257436188681, 0.9118566946892438, 1.3136892038886399],
        "end": [0.48375279717372693, -0.1763196138991774],
        "cell": "0>2:max_pool_3x3 1>2:skip_connect 1>3:dil_conv_3x3 2>3:skip_connect 1>4:dil_conv_3x3 "
        "2>4:skip_connect 1>5:skip_connect 4>5:skip_connect",
    },
    "pc-darts": {
        "weights": [1.4626404498624939, 1.67309159152172, 1.7988995233805614],
        "arch": [1.3078219488870815, 1.4999830304592063, 2.0001206398727045],
        "end": [0.6426071465360537, -0.0019362946798385794, -0.6671429524787639, 0.08100853465538888],
        "cell": "0>2:max_pool_3x3 1>2:skip_connect 1>3:max_pool_3x3 2>3:skip_connect 0>4:sep_conv_5x5 "
        "3>4:sep_conv_5x5 0>5:avg_pool_3x3 1>5:skip_connect",
    },
    "pc-darts-gp": {
        "weights": [1.4626638760444932, 1.6731648066895992, 1.799470892218216],
        "arch": [1.3078219488870815, 1.4999740481189532, 2.001303416654316],
        "end": [0.5800755901703126, -0.06539031966374922, -0.6683260501874082, 0.07752932315364007],
        "cell": "0>2:max_pool_3x3 1>2:skip_connect 1>3:max_pool_3x3 2>3:skip_connect 0>4:sep_conv_5x5 "
        "3>4:sep_conv_5x5 0>5:avg_pool_3x3 1>5:skip_connect",
    },
}


def batch(salt: int) -> Batch:
    """Four images of 8x8 pixels, from the hash of the golden numbers."""
    x = (2 * uniform(4 * 3 * 8 * 8, salt) - 1) * 3**0.5
    return Batch(x.view(4, 3, 8, 8), torch.arange(4) % 3, torch.arange(4))


def run(recipe: Recipe, engine: EngineName = "plain") -> dict[str, list[float] | str]:
    """Losses of each step, sums of alpha and beta at the end, and the normal cell."""
    sizes = replace(recipe.search, engine=engine)
    recipe = replace(recipe, warm_up=None, arch=ArchSettings(lr=0.02), search=sizes)
    spec = SupernetSpec(channels=8, layers=3, classes=3, k=recipe.k)
    supernet = fill(Supernet(DARTS, spec))
    assert isinstance(supernet, Supernet)
    arch = ArchParameters(DARTS, beta=recipe.edge_normalisation is not None, generator=torch.Generator()).double()
    with torch.no_grad():
        for q, parameter in enumerate(arch.parameters()):
            parameter.copy_(parameters(q, parameter.numel()).view_as(parameter))
    search = BilevelSearch(recipe, supernet, arch, Streams(11), Compute("cpu"))
    batches = SearchBatches(Feed([batch(7), batch(8)]), Feed([batch(9), batch(10)]))  # type: ignore[arg-type]
    reports = [search.step(batches, 0) for _ in range(STEPS)]
    waves = [torch.sin(torch.arange(p.numel(), dtype=torch.float64)) for p in arch.parameters()]
    cell = derive(DARTS, arch, recipe.relaxation, recipe.derivation).cells["normal"]
    return {
        "weights": [r.loss.item() for r in reports],
        "arch": [r.arch.loss.item() for r in reports if r.arch is not None],
        "end": [
            (p.detach().flatten() * wave).sum().item() for p, wave in zip(arch.parameters(), waves, strict=True)
        ],
        "cell": " ".join(f"{e.source}>{e.target}:{e.primitive}" for e in cell.edges),
    }


@cache
def outcome(name: str, engine: EngineName = "plain") -> dict[str, list[float] | str]:
    return run({"darts": DARTS_V1, "pc-darts": PC_DARTS, "pc-darts-gp": PC_DARTS_GP}[name], engine)


@pytest.mark.parametrize("name", PINNED)
def test_three_steps_give_the_pinned_numbers(name: str) -> None:
    found, pinned = outcome(name), PINNED[name]
    assert found["cell"] == pinned["cell"]
    for key in ("weights", "arch", "end"):
        assert found[key] == pytest.approx(pinned[key], rel=1e-7, abs=1e-9), key


@pytest.mark.parametrize("name", PINNED)
def test_three_steps_on_kernels_give_the_pinned_numbers(name: str) -> None:
    found, pinned = outcome(name, "auto"), PINNED[name]
    assert found["cell"] == pinned["cell"]
    for key in ("weights", "arch", "end"):
        assert found[key] == pytest.approx(pinned[key], rel=1e-7, abs=1e-9), key


def test_pc_darts_is_pc_darts_gp_without_projection() -> None:
    assert run(replace(PC_DARTS_GP, projection=None)) == outcome("pc-darts")


def test_the_projection_changes_the_search_from_the_first_arch_step_on() -> None:
    with_it, without = outcome("pc-darts-gp"), outcome("pc-darts")
    assert with_it["arch"][0] == without["arch"][0]
    assert with_it["weights"][0] != without["weights"][0]
    assert with_it["end"] != without["end"]
