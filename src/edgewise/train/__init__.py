"""Trains a derived network and tests it."""

from edgewise.train.evaluate import TestResult, evaluate
from edgewise.train.task import Trainable, TrainTask

__all__ = ["TestResult", "TrainTask", "Trainable", "evaluate"]
