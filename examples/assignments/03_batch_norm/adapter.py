"""Where the grader finds your work. Designed it otherwise? Change the right-hand sides, not the names.

    batch_norm(x, gamma, beta, delta)              y, like x
    standardize_x(g, x, axes, delta)               dJ/dx from g = dJ/dxhat
    batch_norm_backward(g, x, gamma, beta, delta)  dx, dgamma, dbeta
    RunningAverages(features, momentum)            running_mean, running_var; update(x), and
                                                   normalize(x, gamma, beta, delta) -> y
"""
import batch_norm as mine

batch_norm = mine.batch_norm
standardize_x = mine.standardize_x
batch_norm_backward = mine.batch_norm_backward
RunningAverages = mine.RunningAverages
