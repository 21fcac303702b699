"""Trains a derived network and tests it."""

from edgewise.train.evaluate import TestResult, evaluate
from edgewise.train.forward import Trainable
from edgewise.train.task import TrainTask

__all__ = ["TestResult", "TrainTask", "Trainable", "evaluate"]
