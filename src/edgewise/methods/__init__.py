"""The parts of a search method and the recipes that combine them."""

from edgewise.methods.arch import ArchParameters, softmax_into_nodes
from edgewise.methods.cite import citations
from edgewise.methods.conflicts import CONFLICT_COSINE, ConflictMeter
from edgewise.methods.derivation import Derivation, SkipLimit, TopEdges, derive, sample_genotype
from edgewise.methods.eigenvalue import Eigenvalue, hessian_product, largest_eigenvalue
from edgewise.methods.gradient import ArchGradient, ArchProblem, FirstOrder
from edgewise.methods.gumbel import GumbelHard
from edgewise.methods.hessian_stop import Adaptation, HessianStop
from edgewise.methods.parts import Diagnostics, EdgeNormalisation, PartialChannels, WarmUp
from edgewise.methods.perturbation import Adversarial, RandomSmoothing
from edgewise.methods.projection import Order, Projection, Projector
from edgewise.methods.recipe import ArchSettings, Recipe, SearchSettings, TrainSettings, WeightsSettings
from edgewise.methods.relaxation import Relaxation, Softmax
from edgewise.methods.schedule import SchedulePosition
from edgewise.methods.second_order import ExactHypergradient, FiniteDifference
from edgewise.methods.skips import OperationNoise, SearchDropPath, SkipDropout, WeightDecayRamp
from edgewise.methods.stages import Stages, strongest
from edgewise.methods.table import (
    ALIASES,
    DARTS_V1,
    DARTS_V2,
    DARTS_V2_FD,
    GDAS,
    NOISY_DARTS,
    P_DARTS,
    PC_DARTS,
    PC_DARTS_GP,
    R_DARTS_ADA,
    R_DARTS_DP,
    R_DARTS_ES,
    R_DARTS_L2,
    RECIPES,
    S_DARTS_ADV,
    S_DARTS_RS,
    recipe,
    with_projection,
)

__all__ = [
    "ALIASES",
    "CONFLICT_COSINE",
    "DARTS_V1",
    "DARTS_V2",
    "DARTS_V2_FD",
    "GDAS",
    "NOISY_DARTS",
    "PC_DARTS",
    "PC_DARTS_GP",
    "P_DARTS",
    "RECIPES",
    "R_DARTS_ADA",
    "R_DARTS_DP",
    "R_DARTS_ES",
    "R_DARTS_L2",
    "S_DARTS_ADV",
    "S_DARTS_RS",
    "Adaptation",
    "Adversarial",
    "ArchGradient",
    "ArchParameters",
    "ArchProblem",
    "ArchSettings",
    "ConflictMeter",
    "Derivation",
    "Diagnostics",
    "EdgeNormalisation",
    "Eigenvalue",
    "ExactHypergradient",
    "FiniteDifference",
    "FirstOrder",
    "GumbelHard",
    "HessianStop",
    "OperationNoise",
    "Order",
    "PartialChannels",
    "Projection",
    "Projector",
    "RandomSmoothing",
    "Recipe",
    "Relaxation",
    "SchedulePosition",
    "SearchDropPath",
    "SearchSettings",
    "SkipDropout",
    "SkipLimit",
    "Softmax",
    "Stages",
    "TopEdges",
    "TrainSettings",
    "WarmUp",
    "WeightDecayRamp",
    "WeightsSettings",
    "citations",
    "derive",
    "hessian_product",
    "largest_eigenvalue",
    "recipe",
    "sample_genotype",
    "softmax_into_nodes",
    "strongest",
    "with_projection",
]
