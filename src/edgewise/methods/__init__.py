"""The parts of a search method and the recipes that combine them."""

from edgewise.methods.arch import ArchParameters, softmax_into_nodes
from edgewise.methods.beta_decay import BetaDecay
from edgewise.methods.cite import citations
from edgewise.methods.conflicts import CONFLICT_COSINE, ConflictMeter
from edgewise.methods.derivation import Derivation, SkipLimit, TopEdges, derive, sample_genotype
from edgewise.methods.diagnostics import Diagnostics
from edgewise.methods.dirichlet import DirichletMixture
from edgewise.methods.eigenvalue import Eigenvalue, hessian_product, largest_eigenvalue
from edgewise.methods.gradient import ArchGradient, ArchProblem, FirstOrder, GradientEstimator
from edgewise.methods.gumbel import GumbelHard
from edgewise.methods.hessian_stop import Adaptation, HessianStop
from edgewise.methods.part import PARTS, AddedPart, Combination, Part, Parts, register_part
from edgewise.methods.pc_darts import EdgeNormalisation, PartialChannels, WarmUp
from edgewise.methods.perturbation import Adversarial, RandomSmoothing
from edgewise.methods.projection import Order, Projection, Projector
from edgewise.methods.recipe import Recipe
from edgewise.methods.relaxation import Relaxation, Softmax
from edgewise.methods.roles import (
    AlphaGradientChange,
    AlphaPenalty,
    MixturePerturbation,
    OutputChange,
    TrainingPass,
    WeightDecayRule,
)
from edgewise.methods.schedule import SchedulePosition
from edgewise.methods.second_order import ExactHypergradient, FiniteDifference
from edgewise.methods.settings import ArchSettings, SearchSettings, TrainSettings, WeightsSettings
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
    "PARTS",
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
    "AddedPart",
    "Adversarial",
    "AlphaGradientChange",
    "AlphaPenalty",
    "ArchGradient",
    "ArchParameters",
    "ArchProblem",
    "ArchSettings",
    "BetaDecay",
    "Combination",
    "ConflictMeter",
    "Derivation",
    "Diagnostics",
    "DirichletMixture",
    "EdgeNormalisation",
    "Eigenvalue",
    "ExactHypergradient",
    "FiniteDifference",
    "FirstOrder",
    "GradientEstimator",
    "GumbelHard",
    "HessianStop",
    "MixturePerturbation",
    "OperationNoise",
    "Order",
    "OutputChange",
    "Part",
    "PartialChannels",
    "Parts",
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
    "TrainingPass",
    "WarmUp",
    "WeightDecayRamp",
    "WeightDecayRule",
    "WeightsSettings",
    "citations",
    "derive",
    "hessian_product",
    "largest_eigenvalue",
    "recipe",
    "register_part",
    "sample_genotype",
    "softmax_into_nodes",
    "strongest",
    "with_projection",
]
