"""Runs a method until a genotype can be derived."""

from edgewise.search.bilevel import BilevelSearch, SearchBatches
from edgewise.search.step import ArchReport, EpochSums, StepReport
from edgewise.search.task import SearchTask

__all__ = ["ArchReport", "BilevelSearch", "EpochSums", "SearchBatches", "SearchTask", "StepReport"]
