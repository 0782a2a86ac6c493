"""Training: the loop, its callbacks, evaluation, checkpoints."""
from minigrad.training.evaluation import Evaluation, evaluate, predict, test_mode
from minigrad.training.loop import Callback, Run, fit, line, refresh_batch_norm
from minigrad.training.callbacks import Checkpoint, EarlyStopping, LearningCurve, draw_learning_curve
from minigrad.training.checkpoint import load_checkpoint, save_checkpoint
