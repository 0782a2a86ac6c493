"""Training: the loop, its callbacks, evaluation, checkpoints, the learning-rate range test."""
from minigrad.training.evaluation import Evaluation, denominator, evaluate, in_test_mode, predict
from minigrad.training.run import Callback, Run
from minigrad.training.loop import fit
from minigrad.training.progress import line
from minigrad.training.callbacks import Checkpoint, ClipGradient, EarlyStopping
from minigrad.training.averaging import Averaging, refresh_batch_norm
from minigrad.training.plateau import ReduceOnPlateau
from minigrad.training.curve import LearningCurve, draw_learning_curve
from minigrad.training.checkpoint import load_checkpoint, save_checkpoint
from minigrad.training.rate_test import RateTest, rate_test

__all__ = [
    "Averaging", "Callback", "Checkpoint", "ClipGradient", "denominator", "draw_learning_curve", "EarlyStopping",
    "evaluate", "Evaluation", "fit", "in_test_mode", "LearningCurve", "line", "load_checkpoint", "predict",
    "rate_test", "RateTest", "ReduceOnPlateau", "refresh_batch_norm", "Run", "save_checkpoint",
]
