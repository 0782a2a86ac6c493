"""What the grader calls, and what of yours it gets. Wrote it elsewhere, or under other names? Change the right sides.

    tanh(x), softplus(x)                       array or Tensor of any shape -> same shape
    logsumexp(x, axis=-1, keepdims=False)      axis: an int or a tuple of ints
"""
import op_and_rules as mine

tanh = mine.tanh
softplus = mine.softplus
logsumexp = mine.logsumexp
