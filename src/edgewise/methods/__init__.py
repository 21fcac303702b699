"""The parts of a search method and the recipes that combine them."""

from edgewise.methods.arch import ArchParameters, softmax_into_nodes
from edgewise.methods.cite import citations
from edgewise.methods.conflicts import CONFLICT_COSINE, ConflictMeter
from edgewise.methods.derivation import TopEdges, derive
from edgewise.methods.gradient import ArchGradient, FirstOrder
from edgewise.methods.parts import EdgeNormalisation, PartialChannels, WarmUp
from edgewise.methods.projection import Order, Projection, Projector
from edgewise.methods.recipe import ArchSettings, Recipe, SearchSettings, TrainSettings, WeightsSettings
from edgewise.methods.relaxation import Softmax
from edgewise.methods.table import DARTS_V1, PC_DARTS, PC_DARTS_GP, RECIPES, recipe

__all__ = [
    "CONFLICT_COSINE",
    "DARTS_V1",
    "PC_DARTS",
    "PC_DARTS_GP",
    "RECIPES",
    "ArchGradient",
    "ArchParameters",
    "ArchSettings",
    "ConflictMeter",
    "EdgeNormalisation",
    "FirstOrder",
    "Order",
    "PartialChannels",
    "Projection",
    "Projector",
    "Recipe",
    "SearchSettings",
    "Softmax",
    "TopEdges",
    "TrainSettings",
    "WarmUp",
    "WeightsSettings",
    "citations",
    "derive",
    "recipe",
    "softmax_into_nodes",
]
