"""Tabular ground truth: what every architecture of a space reaches, trained by others."""

from edgewise.tabular.columns import ACCURACIES, DATASETS, Dataset, column
from edgewise.tabular.table import Entry, Table
from edgewise.tabular.truth import Truth, dataset_of

__all__ = ["ACCURACIES", "DATASETS", "Dataset", "Entry", "Table", "Truth", "column", "dataset_of"]
