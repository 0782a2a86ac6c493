"""Wrong forms of the solution, for grading the student's own tests. Each is one that people write.

EQUIVALENTS holds two right ones, which no test may fail. Equivalent, and so not among the mutants:
- x - mean(x) in place of `deviation` in the variance: the same array.
- mean(g * deviation) * deviation * scale^2 for xhat mean(g xhat): xhat = deviation scale.
- `g - mean(g)` in the last mean, mean((g - mean(g)) xhat): xhat has mean 0.
- var for mean(deviation^2): the same number up to rounding.
"""
from minigrad.grade import Mutant

DEVIATION = "deviation = x - mean(x, axes, keepdims=True)"
SCALE = "scale = 1 / sqrt(mean(deviation * deviation, axes, keepdims=True) + delta)"
DX = "return scale * (g - mean(g, axes, keepdims=True) - xhat * mean(g * xhat, axes, keepdims=True))"
WHOLE = "dx = standardize_x(g * gamma, x, leading(x), delta)"
DGAMMA = "dgamma = sum(g * standardize(x, leading(x), delta)[0], leading(x))"
MEAN = "self.running_mean = (1 - share) * self.running_mean + share * mean"
VAR = "self.running_var = (1 - share) * self.running_var + share * m / (m - 1) * var"
TEST_SCALE = "scale = 1 / np.sqrt(self.running_var + float(delta))"
TEST = "y = x * scale + (beta - self.running_mean * scale)"

MUTANTS = [
    Mutant("mean-rows", DEVIATION, DEVIATION.replace("mean(x, axes,", "mean(x, -1,"), "mu of each example"),
    Mutant("mean-all", DEVIATION, DEVIATION.replace("mean(x, axes,", "mean(x, None,"), "one mu for all features"),
    Mutant("mean-first", DEVIATION, DEVIATION.replace("mean(x, axes,", "mean(x, 0,"), "one mu for each pixel"),
    Mutant("no-mean", DEVIATION, "deviation = x", "mu is not subtracted"),
    Mutant("delta-outside", SCALE, "scale = 1 / (sqrt(mean(deviation * deviation, axes, keepdims=True)) + delta)",
           "delta outside the root"),
    Mutant("no-delta", SCALE, SCALE.replace(" + delta", ""), "no delta: 0/0 for a constant feature"),
    Mutant("no-root", SCALE, SCALE.replace("sqrt(", "("), "divided by the variance"),
    Mutant("unbiased", SCALE, SCALE.replace("1 / sqrt(", "1 / sqrt(x[..., 0].size / (x[..., 0].size - 1) * "),
           "the unbiased variance"),
    Mutant("x-for-deviation", "return deviation * scale, scale", "return x * scale, scale", "x for x - mu"),
    Mutant("constants", DX, "return scale * g", "mu and sigma taken as constants"),
    Mutant("through-mean", DX, "return scale * (g - mean(g, axes, keepdims=True))", "sigma taken as a constant"),
    Mutant("through-sigma", DX, "return scale * (g - xhat * mean(g * xhat, axes, keepdims=True))",
           "mu taken as a constant"),
    Mutant("no-scale", DX, DX.replace("scale * (", "("), "not divided by sigma"),
    Mutant("scale-twice", DX, DX.replace("scale * (", "scale * scale * ("), "divided by sigma twice"),
    Mutant("plus", DX, DX.replace("- xhat *", "+ xhat *"), "the sign of the way through sigma"),
    Mutant("sum-for-mean", DX, DX.replace("xhat * mean(g * xhat, axes", "xhat * sum(g * xhat, axes"),
           "the sum for the mean on the way through sigma"),
    Mutant("sum-for-mean-2", DX, DX.replace("g - mean(g, axes", "g - sum(g, axes"),
           "the sum for the mean on the way through mu"),
    Mutant("x-for-xhat", DX, DX.replace("mean(g * xhat,", "mean(g * x,"), "x for xhat on the way through sigma"),
    Mutant("no-gamma", WHOLE, WHOLE.replace("g * gamma", "g"), "gamma forgotten on the way back"),
    Mutant("gamma-divided", WHOLE, WHOLE.replace("g * gamma", "g / gamma"), "divided by gamma"),
    Mutant("back-delta", WHOLE, WHOLE.replace("delta)", "0.0)"), "no delta on the way back"),
    Mutant("dgamma-x", DGAMMA, "dgamma = sum(g * x, leading(x))", "x for xhat in dgamma"),
    Mutant("dgamma-mean", DGAMMA, DGAMMA.replace("= sum(", "= mean("), "the mean for the sum in dgamma"),
    Mutant("dgamma-no-g", DGAMMA, DGAMMA.replace("sum(g * ", "sum("), "dgamma without g"),
    Mutant("dbeta-mean", "dbeta = sum(g, leading(x))", "dbeta = mean(g, leading(x))", "the mean for the sum in dbeta"),
    Mutant("dbeta-gamma", "dbeta = sum(g, leading(x))", "dbeta = sum(g * gamma, leading(x))", "gamma in dbeta"),
    Mutant("running-swapped", MEAN, "self.running_mean = share * self.running_mean + (1 - share) * mean",
           "momentum and 1 - momentum exchanged"),
    Mutant("running-last", MEAN, "self.running_mean = mean", "the last batch alone"),
    Mutant("running-biased", VAR, VAR.replace(" * m / (m - 1)", ""), "the biased variance averaged"),
    Mutant("running-rows", "m = math.prod(x.shape[:-1])", "m = len(x)", "m counts images, not pixels"),
    Mutant("running-std", VAR, VAR.replace("* var", "* np.sqrt(var)"),
           "the standard deviation averaged as the variance"),
    Mutant("test-no-delta", TEST_SCALE, TEST_SCALE.replace(" + float(delta)", ""), "no delta at test time"),
    Mutant("test-no-gamma", "scale = gamma * scale", "pass", "no gamma at test time"),
    Mutant("test-mean", TEST, "y = x * scale + (beta - self.running_mean)", "the mean subtracted after the scale"),
    Mutant("test-batch", TEST, "y = (x - x.mean(leading(x))) * scale + beta", "mu of the batch at test time"),
]

EQUIVALENTS = [
    Mutant("centred", DX,
           "g = g - mean(g, axes, keepdims=True)\n    return scale * (g - xhat * mean(g * xhat, axes, keepdims=True))",
           "xhat has mean 0"),
    Mutant("var", SCALE, "scale = 1 / sqrt(np.var(x, axes, keepdims=True) + delta)", "the same variance"),
]
