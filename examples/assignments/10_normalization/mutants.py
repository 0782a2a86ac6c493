"""Wrong forms of the solution, for grading the student's own tests. Each is one that people write.

EQUIVALENTS holds two right ones, which no test may fail. Equivalent, and so not among the mutants:
- standardize over -1 for (x.ndim - 1,): the same axis.
- instance_norm by standardize over the axes between the first and the last: what its groups of one feature are.
- a change of `changed`: any other numbers do.
"""
from minigrad.grade import Mutant

XHAT = "xhat = standardize(x, (x.ndim - 1,), delta)[0]"
DX, DGAMMA = "dx = standardize_x(g * gamma, x, (x.ndim - 1,), delta)", \
    "dgamma = sum(g * standardize(x, (x.ndim - 1,), delta)[0], leading(x))"
GROUPED = "grouped = reshape(x, (shape[0], math.prod(shape[1:-1]), groups, shape[-1] // groups))"
NORMALIZED = "xhat = reshape(standardize(grouped, (1, 3), float(delta))[0], shape)"
RMS = "y = x / sqrt(mean(x * x, -1, keepdims=True) + float(delta)) * gamma"
RMS_DX = "dx = scale * (ghat - xhat * mean(ghat * xhat, -1, keepdims=True))"
FOUND = "found[:, j] = [np.any(now != before) for now, before in zip(norm(changed), y)]"
DIFFERENCE = "difference = np.abs(norm(change(x)) - norm(x))"

MUTANTS = [
    Mutant("layer-is-batch", XHAT, "xhat = standardize(x, leading(x), delta)[0]", "batch norm: over the examples"),
    Mutant("layer-whole-example", XHAT, "xhat = standardize(x, tuple(range(1, x.ndim)), delta)[0]",
           "over the pixels too"),
    Mutant("layer-everything", XHAT, "xhat = standardize(x, None, delta)[0]", "one mu and var for the whole batch"),
    Mutant("layer-no-delta", XHAT, XHAT.replace(", delta", ", 0.0"), "delta is not used"),
    Mutant("layer-no-mean", XHAT, "xhat = x * standardize(x, (x.ndim - 1,), delta)[1]", "the mean is not taken out"),
    Mutant("layer-back-of-batch", DX, "dx = standardize_x(g * gamma, x, leading(x), delta)", "back over the examples"),
    Mutant("layer-back-no-gamma", DX, DX.replace("g * gamma", "g"), "gamma forgotten on the way back"),
    Mutant("layer-back-constants", DX, "dx = standardize(x, (x.ndim - 1,), delta)[1] * g * gamma",
           "mu and sigma as constants"),
    Mutant("layer-gamma-of-x", DGAMMA, "dgamma = sum(g * x, leading(x))", "x where xhat is meant"),
    Mutant("layer-gamma-of-batch", DGAMMA, "dgamma = sum(g * standardize(x, leading(x), delta)[0], leading(x))",
           "xhat of batch norm"),
    Mutant("layer-gamma-mean", DGAMMA, DGAMMA.replace("dgamma = sum", "dgamma = mean"), "a mean over the examples"),
    Mutant("layer-beta-mean", "dbeta = sum(g, leading(x))", "dbeta = mean(g, leading(x))", "a mean over the examples"),
    Mutant("layer-beta-first", "dbeta = sum(g, leading(x))", "dbeta = sum(g, 0)", "the pixels are not summed"),
    Mutant("group-interleaved", GROUPED + "\n    " + NORMALIZED,
           "grouped = reshape(x, (shape[0], math.prod(shape[1:-1]), shape[-1] // groups, groups))\n"
           "    xhat = reshape(standardize(grouped, (1, 2), float(delta))[0], shape)",
           "every groups-th feature, not neighbours"),
    Mutant("group-sizes", GROUPED, GROUPED.replace("groups, shape[-1] // groups", "shape[-1] // groups, groups"),
           "the number of groups and their size exchanged"),
    Mutant("group-pixels-apart", NORMALIZED, NORMALIZED.replace("(1, 3)", "(3,)"), "each pixel by itself"),
    Mutant("group-features-apart", NORMALIZED, NORMALIZED.replace("(1, 3)", "(1,)"), "each feature by itself"),
    Mutant("group-examples-too", NORMALIZED, NORMALIZED.replace("(1, 3)", "(0, 1, 3)"), "over the examples too"),
    Mutant("group-all", NORMALIZED, NORMALIZED.replace("(1, 3)", "(1, 2, 3)"), "all groups together"),
    Mutant("group-no-delta", NORMALIZED, NORMALIZED.replace("float(delta)", "0.0"), "delta is not used"),
    Mutant("instance-one-group", "y = group_norm(x, gamma, beta, x.shape[-1], delta)",
           "y = group_norm(x, gamma, beta, 1, delta)", "one group, not one a feature"),
    Mutant("instance-delta", "y = group_norm(x, gamma, beta, x.shape[-1], delta)",
           "y = group_norm(x, gamma, beta, x.shape[-1])", "delta is not handed on"),
    Mutant("rms-centred", RMS, "y = standardize(x, (x.ndim - 1,), delta)[0] * gamma", "layer norm: the mean taken out"),
    Mutant("rms-sum", RMS, RMS.replace("mean(", "sum("), "the sum of squares, not their mean"),
    Mutant("rms-no-root", RMS, RMS.replace("sqrt", ""), "no root"),
    Mutant("rms-delta-outside", RMS, "y = x / (sqrt(mean(x * x, -1, keepdims=True)) + float(delta)) * gamma",
           "delta outside the root"),
    Mutant("rms-of-features", RMS, RMS.replace("-1", "0"), "over the examples"),
    Mutant("rms-back-constant", RMS_DX, "dx = scale * ghat", "the root as a constant"),
    Mutant("rms-back-sign", RMS_DX, RMS_DX.replace("ghat - xhat", "ghat + xhat"), "the part along x added"),
    Mutant("rms-back-centred", RMS_DX, RMS_DX.replace("(ghat -", "(ghat - mean(ghat, -1, keepdims=True) -"),
           "the mean taken out, as in layer norm"),
    Mutant("rms-back-no-gamma", "xhat, ghat = x * scale, g * gamma", "xhat, ghat = x * scale, g", "gamma forgotten"),
    Mutant("influence-transposed", FOUND, FOUND.replace("found[:, j]", "found[j, :]"), "rows and columns exchanged"),
    Mutant("influence-all", FOUND, FOUND.replace("np.any", "np.all"), "all values must change, not one"),
    Mutant("influence-first", FOUND, FOUND.replace("now != before", "now.flat[0] != before.flat[0]"),
           "the first value alone is looked at"),
    Mutant("ignores-signed", DIFFERENCE, "difference = norm(change(x)) - norm(x)", "a smaller value passes"),
    Mutant("ignores-change", DIFFERENCE, "difference = np.abs(norm(change(x)) - change(norm(x)))",
           "compared with the changed result: another question"),
    Mutant("ignores-sum", DIFFERENCE, "difference = np.abs(np.sum(norm(change(x)) - norm(x)))",
           "differences may cancel"),
    Mutant("ignores-nan", DIFFERENCE, "difference = np.nan_to_num(np.abs(norm(change(x)) - norm(x)))", "NaN passes"),
]

EQUIVALENTS = [
    Mutant("right-var", XHAT, "xhat = (x - x.mean(-1, keepdims=True)) / sqrt(x.var(-1, keepdims=True) + delta)",
           "NumPy's variance"),
    Mutant("right-rms", RMS, "y = gamma * x * (np.square(x).mean(-1, keepdims=True) + delta) ** -0.5",
           "a power for the root"),
]
