"""The tables of parts and of recipes: the command line, the docs, `cite` and the combination tests read them."""

from __future__ import annotations

from dataclasses import replace

from edgewise.methods.beta_decay import BetaDecay
from edgewise.methods.derivation import SkipLimit, TopEdges
from edgewise.methods.diagnostics import Diagnostics
from edgewise.methods.dirichlet import DirichletMixture
from edgewise.methods.gradient import FirstOrder
from edgewise.methods.gumbel import GumbelHard
from edgewise.methods.hessian_stop import Adaptation, HessianStop
from edgewise.methods.part import Parts, register_part
from edgewise.methods.pc_darts import EdgeNormalisation, PartialChannels, WarmUp
from edgewise.methods.perturbation import Adversarial, RandomSmoothing
from edgewise.methods.projection import Projection
from edgewise.methods.recipe import Recipe
from edgewise.methods.relaxation import Softmax
from edgewise.methods.second_order import ExactHypergradient, FiniteDifference
from edgewise.methods.settings import ArchSettings, SearchSettings, WeightsSettings
from edgewise.methods.skips import OperationNoise, SearchDropPath, SkipDropout, WeightDecayRamp
from edgewise.methods.stages import Stages
from edgewise.registry import Registry

for _part in (
    Softmax,
    GumbelHard,
    DirichletMixture,
    PartialChannels,
    EdgeNormalisation,
    FirstOrder,
    ExactHypergradient,
    FiniteDifference,
    Projection,
    BetaDecay,
    RandomSmoothing,
    Adversarial,
    OperationNoise,
    SkipDropout,
    SearchDropPath,
    WeightDecayRamp,
    HessianStop,
    Adaptation,
    Stages,
    WarmUp,
    TopEdges,
    SkipLimit,
    Diagnostics,
):
    register_part(_part)

DARTS_V1 = Recipe(
    name="darts-v1",
    summary="DARTS, first order",
    search=SearchSettings(batch_size=64),
    weights=WeightsSettings(lr=0.025, lr_min=0.001),
    arch=ArchSettings(lr=3e-4),
    sources=("darts",),
)

DARTS_V2 = replace(
    DARTS_V1,
    name="darts-v2",
    summary="DARTS, second order, exact Hessian-vector product",
    gradient=ExactHypergradient(),
)

DARTS_V2_FD = replace(
    DARTS_V1,
    name="darts-v2-fd",
    summary="DARTS, second order, the authors' finite difference",
    gradient=FiniteDifference(),
)

GDAS = replace(
    DARTS_V1,
    name="gdas",
    summary="GDAS: one operation an edge is sampled and evaluated, straight-through gradient",
    relaxation=GumbelHard(),
    search=SearchSettings(batch_size=64, epochs=240),
    sources=("gdas", "darts"),
)

P_DARTS = Recipe(
    name="p-darts",
    summary="P-DARTS: three stages of 5, 11 and 17 cells, dropout on skips, at most 2 skips derived",
    stages=Stages(),
    skip_dropout=SkipDropout(),
    warm_up=WarmUp(epochs=10),
    derivation=SkipLimit(),
    search=SearchSettings(epochs=75, batch_size=96, layers=5),
    weights=WeightsSettings(lr=0.025),
    arch=ArchSettings(clip=5.0),
    sources=("p-darts", "darts"),
)

PC_DARTS = Recipe(
    name="pc-darts",
    summary="PC-DARTS: partial channels (K = 4) and edge normalisation",
    channels=PartialChannels(k=4),
    edge_normalisation=EdgeNormalisation(),
    warm_up=WarmUp(epochs=15),
    sources=("darts",),
)

R_DARTS_ES = replace(
    DARTS_V1,
    name="r-darts-es",
    summary="RobustDARTS: early stop when the architecture Hessian's eigenvalue rises",
    stop=HessianStop(),
    sources=("robust-darts", "darts"),
)

R_DARTS_L2 = replace(
    DARTS_V1,
    name="r-darts-l2",
    summary="RobustDARTS: weight decay 3e-4 * 3^3 (the paper tries 3^0 to 3^4)",
    weights=replace(DARTS_V1.weights, weight_decay=0.0081),
    sources=("robust-darts", "darts"),
)

R_DARTS_DP = replace(
    DARTS_V1,
    name="r-darts-dp",
    summary="RobustDARTS: drop-path in the supernet, rising to 0.2",
    drop_path=SearchDropPath(),
    sources=("robust-darts", "darts"),
)

R_DARTS_ADA = replace(
    R_DARTS_ES,
    name="r-darts-ada",
    summary="RobustDARTS: instead of stopping, more weight decay and a roll-back",
    adaptation=Adaptation(),
)

S_DARTS_RS = replace(
    DARTS_V1,
    name="s-darts-rs",
    summary="SmoothDARTS: the weights learn under a randomly perturbed mixture",
    perturbation=RandomSmoothing(),
    sources=("smooth-darts", "darts"),
)

S_DARTS_ADV = replace(
    S_DARTS_RS,
    name="s-darts-adv",
    summary="SmoothDARTS: the weights learn under the worst mixture nearby",
    perturbation=Adversarial(),
)

NOISY_DARTS = replace(
    DARTS_V1,
    name="noisy-darts",
    summary="NoisyDARTS: Gaussian noise on skip connections",
    noise=OperationNoise(),
    sources=("noisy-darts", "darts"),
)

BETA_DARTS = replace(
    DARTS_V1,
    name="beta-darts",
    summary="beta-DARTS: DARTS with beta decay, which keeps alpha from deciding too early",
    parts=Parts(BetaDecay()),
    sources=("darts",),
)

DRNAS_SIMPLE = replace(
    DARTS_V1,
    name="drnas-simple",
    summary="DrNAS in one stage: each pass draws its mixture from Dirichlet distributions",
    relaxation=DirichletMixture(),
    sources=("drnas", "darts"),
)


def with_projection(base: Recipe) -> Recipe:
    """A recipe with the thesis's best gradient projection: edges into a node, in random order."""
    return replace(
        base,
        name=f"{base.name}-gp",
        summary=f"{base.summary}; with gradient projection",
        projection=Projection("in", "random"),
    )


PC_DARTS_GP = replace(
    with_projection(PC_DARTS),
    summary="PC-DARTS with gradient projection between the edges into a node, in random order",
)

RECIPES: Registry[Recipe] = Registry("recipe", hint=", or a TOML file")
"""Every recipe by its name: the command line, the docs and the tests read it; one more is one line below."""

for _recipe in (
    DARTS_V1,
    DARTS_V2,
    DARTS_V2_FD,
    GDAS,
    P_DARTS,
    PC_DARTS,
    R_DARTS_ES,
    R_DARTS_L2,
    R_DARTS_DP,
    R_DARTS_ADA,
    S_DARTS_RS,
    S_DARTS_ADV,
    NOISY_DARTS,
    BETA_DARTS,
    DRNAS_SIMPLE,
):
    RECIPES.register(_recipe.name, _recipe)
    RECIPES.register(f"{_recipe.name}-gp", PC_DARTS_GP if _recipe is PC_DARTS else with_projection(_recipe))

ALIASES = {"darts": "darts-v1", "darts-gp": "darts-v1-gp"}
"""Other names of recipes, for the command line and for `base` in files."""


def recipe(name: str) -> Recipe:
    """The recipe called `name`.

    Raises:
        ConfigError: no recipe has that name.
    """
    return RECIPES.find(ALIASES.get(name, name))
