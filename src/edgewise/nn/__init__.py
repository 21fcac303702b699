"""Modules: operations, cells, the derived network, the supernet and its mixed operations, their cost."""

from edgewise.nn.activation_checkpointing import Memory
from edgewise.nn.auxiliary import AuxiliaryHead
from edgewise.nn.build import SKELETONS, Skeleton, build_network, build_supernet
from edgewise.nn.cell import DerivedCell, reduction_layers
from edgewise.nn.cost import Cost, count_params, measure_cost
from edgewise.nn.derived_on_kernels import AveragePool, PointwiseConv, SeparableConv, use_engine
from edgewise.nn.drop_path import BranchCounter, DrawnDropPath, DropPath
from edgewise.nn.edges import MixedEdges
from edgewise.nn.engines.engine import Engine, EngineName, NetworkEngine
from edgewise.nn.factorized import FactorizedReduction
from edgewise.nn.fit import Figures, Fitted, Fitting, measure_figures
from edgewise.nn.hand_made import HAND_MADE, HandMade, hand_made
from edgewise.nn.hooks import NO_HOOKS, EdgeHook, Hooks, OperationHook
from edgewise.nn.inverted_residual import InvertedResidualNetwork
from edgewise.nn.mixed import MixedOperation, PartialChannelEdge, channel_shuffle
from edgewise.nn.mixture import Mixture
from edgewise.nn.nb201 import NB201Network, NB201Supernet, ReductionBlock, stage_lengths
from edgewise.nn.network import AnyNetwork, Network, NetworkSpec
from edgewise.nn.operations import OPERATIONS, operation, register_operation
from edgewise.nn.residual import ResidualNetwork, residual_network_of_size
from edgewise.nn.resnet8 import ResNet8
from edgewise.nn.statistics import evaluation_mode, frozen_statistics, frozen_weights
from edgewise.nn.stems import Stem, StemName, choose_stem
from edgewise.nn.supernet import AnySupernet, SearchCell, Supernet, SupernetSpec
from edgewise.nn.synchronised import SynchronisedBatchNorm2d, copies, mean_of, spread, synchronise

__all__ = [
    "HAND_MADE",
    "NO_HOOKS",
    "OPERATIONS",
    "SKELETONS",
    "AnyNetwork",
    "AnySupernet",
    "AuxiliaryHead",
    "AveragePool",
    "BranchCounter",
    "Cost",
    "DerivedCell",
    "DrawnDropPath",
    "DropPath",
    "EdgeHook",
    "Engine",
    "EngineName",
    "FactorizedReduction",
    "Figures",
    "Fitted",
    "Fitting",
    "HandMade",
    "Hooks",
    "InvertedResidualNetwork",
    "Memory",
    "MixedEdges",
    "MixedOperation",
    "Mixture",
    "NB201Network",
    "NB201Supernet",
    "Network",
    "NetworkEngine",
    "NetworkSpec",
    "OperationHook",
    "PartialChannelEdge",
    "PointwiseConv",
    "ReductionBlock",
    "ResNet8",
    "ResidualNetwork",
    "SearchCell",
    "SeparableConv",
    "Skeleton",
    "Stem",
    "StemName",
    "Supernet",
    "SupernetSpec",
    "SynchronisedBatchNorm2d",
    "build_network",
    "build_supernet",
    "channel_shuffle",
    "choose_stem",
    "copies",
    "count_params",
    "evaluation_mode",
    "frozen_statistics",
    "frozen_weights",
    "hand_made",
    "mean_of",
    "measure_cost",
    "measure_figures",
    "operation",
    "reduction_layers",
    "register_operation",
    "residual_network_of_size",
    "spread",
    "stage_lengths",
    "synchronise",
    "use_engine",
]
