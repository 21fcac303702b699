"""Tabular ground truth: what every architecture of a space reaches, trained by others."""

from edgewise.benchmarks.columns import ACCURACIES, DATASETS, Dataset, column
from edgewise.benchmarks.table import Entry, Table
from edgewise.benchmarks.truth import Truth, dataset_of

__all__ = ["ACCURACIES", "DATASETS", "Dataset", "Entry", "Table", "Truth", "column", "dataset_of"]
