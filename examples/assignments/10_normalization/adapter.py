"""What the grader calls, and what of yours it gets. Designed it otherwise? Change the bodies, keep the names.

    layer_norm(x, gamma, beta, delta)               layer_norm_backward(g, x, gamma, beta, delta) -> dx, dgamma, dbeta
    group_norm(x, gamma, beta, groups, delta)       instance_norm(x, gamma, beta, delta)
    rms_norm(x, gamma, delta)                       rms_norm_backward(g, x, gamma, delta) -> dx, dgamma
    influence(norm, x) -> (m, m) of booleans        ignores(norm, x, change) -> bool
"""
import normalization as mine

layer_norm, layer_norm_backward = mine.layer_norm, mine.layer_norm_backward
group_norm, instance_norm = mine.group_norm, mine.instance_norm
rms_norm, rms_norm_backward = mine.rms_norm, mine.rms_norm_backward
influence, ignores = mine.influence, mine.ignores
