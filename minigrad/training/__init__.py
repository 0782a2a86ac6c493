"""Training: the loop, its callbacks, evaluation, checkpoints."""
from minigrad.training.evaluation import Evaluation, evaluate, predict, test_mode
from minigrad.training.loop import Callback, Run, fit, line, refresh_batch_norm
