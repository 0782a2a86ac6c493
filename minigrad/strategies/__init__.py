"""Strategies (8.7): templates for using an optimizer, not optimizers themselves. In the order of the sections."""
from minigrad.strategies.coordinate_descent import Descent, coordinate_descent, newton_on_block
from minigrad.strategies.sparse_coding import SparseCode, dictionary, sparse_codes, sparse_coding, sparse_coding_cost
from minigrad.strategies.pretraining import greedy_pretrain, transfer, unsupervised_pretrain
from minigrad.strategies.fitnets import fitnet, hint_loss
from minigrad.strategies.continuation import (
    Annealing, Blurred, Continuation, blurred, continuation, simulated_annealing,
)
from minigrad.strategies.curriculum import curriculum, weighted, weighted_curriculum
from minigrad.strategies.ensemble import Ensemble, Snapshots, ensemble

__all__ = [
    "Annealing", "Blurred", "blurred", "Continuation", "continuation", "coordinate_descent", "curriculum",
    "Descent", "dictionary", "Ensemble", "ensemble", "fitnet", "greedy_pretrain", "hint_loss", "newton_on_block",
    "simulated_annealing", "Snapshots", "sparse_codes", "sparse_coding", "sparse_coding_cost", "SparseCode",
    "transfer", "unsupervised_pretrain", "weighted", "weighted_curriculum",
]
