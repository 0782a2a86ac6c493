"""Wrong forms of the solution, for grading the student's own tests. Each is one that people write.

EQUIVALENTS holds two right ones, which no test may fail. Equivalent, and so not among the mutants:
- softplus_x as g * exp(x - y): x - log(1 + e^x) = log sigmoid(x), the same number.
- tanh_x as g * (1 - y) * (1 + y), and g * (1 - y**2): algebra.
- logsumexp_x without data_of(y): exp(x - y) is divided by its own sum, so that whatever y is (per row) cancels, in the
  derivatives too.
"""
from minigrad.grade import Mutant

MUTANTS = [
    Mutant("tanh-half", "return np.tanh(x)", "return np.tanh(x / 2)", "tanh(x/2) for tanh(x)"),
    Mutant("tanh-sin", "return np.tanh(x)", "return np.sinh(x)", "sinh for tanh"),
    Mutant("tanh-y", "return g * (1 - y * y)", "return g * (1 - y)", "1 - y for 1 - y^2"),
    Mutant("tanh-sign", "return g * (1 - y * y)", "return g * (1 + y * y)", "1 + y^2 for 1 - y^2"),
    Mutant("tanh-x", "return g * (1 - y * y)", "return g * (1 - x * x)", "x for y in the derivative"),
    Mutant("tanh-no-g", "return g * (1 - y * y)", "return 1 - y * y", "the derivative without g"),
    Mutant("tanh-sigmoid", "return g * (1 - y * y)", "return g * y * (1 - y)", "the derivative of the sigmoid"),
    Mutant("tanh-constant", "return g * (1 - y * y)", "return g * (1 - data_of(y) * data_of(y))",
           "y taken as a constant: the gradient is right, the second derivative 0"),
    Mutant("softplus-overflow", "return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))", "return np.log1p(np.exp(x))",
           "log(1 + e^x) as it is written: overflow at large x"),
    Mutant("softplus-log", "np.log1p(np.exp(-np.abs(x)))", "np.log(1 + np.exp(-np.abs(x)))",
           "log(1 + ...) for log1p: 0 where softplus is e^x"),
    Mutant("softplus-relu", "return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))", "return np.maximum(x, 0)",
           "relu for softplus"),
    Mutant("softplus-minimum", "np.maximum(x, 0) +", "np.minimum(x, 0) +", "minimum for maximum"),
    Mutant("softplus-no-abs", "np.exp(-np.abs(x))", "np.exp(-x)", "-x for -|x|"),
    Mutant("softplus-sign", "return g * sigmoid(x)", "return g * sigmoid(-x)", "sigmoid(-x)"),
    Mutant("softplus-no-g", "return g * sigmoid(x)", "return sigmoid(x)", "the derivative without g"),
    Mutant("softplus-constant", "return g * sigmoid(x)", "return g * sigmoid(data_of(x))",
           "x taken as a constant: the second derivative is 0"),
    Mutant("softplus-of-y", "return g * sigmoid(x)", "return g * sigmoid(y)", "y for x in the derivative"),
    Mutant("lse-overflow", "top = np.where(np.isfinite(top), top, 0).astype(x.dtype)", "top = np.zeros_like(top)",
           "nothing taken out: overflow"),
    Mutant("lse-infinite", "top = np.where(np.isfinite(top), top, 0).astype(x.dtype)", "pass",
           "-inf taken out of -inf: NaN for a row of -inf"),
    Mutant("lse-not-added", "axis=axes, keepdims=True)) + top", "axis=axes, keepdims=True))",
           "the largest is not added again"),
    Mutant("lse-mean", "np.log(np.add.reduce(np.exp(x - top), axis=axes, keepdims=True))",
           "np.log(np.mean(np.exp(x - top), axis=axes, keepdims=True))", "the mean for the sum"),
    Mutant("lse-global", "top = np.maximum.reduce(x, axis=axes, keepdims=True)",
           "top = np.maximum.reduce(x, axis=None, keepdims=True)",
           "the largest of all rows taken out of every row: small rows underflow"),
    Mutant("lse-keepdims", "return y if keepdims else y.reshape", "return y.reshape", "keepdims ignored"),
    Mutant("lse-no-g", "return spread(g, x, axes) * (powers", "return (powers", "the derivative without g"),
    Mutant("lse-all", "sum(powers, axes, keepdims=True) + nothing", "sum(powers, None, keepdims=True) + nothing",
           "softmax over all rows together"),
    Mutant("lse-nothing", "sum(powers, axes, keepdims=True) + nothing", "sum(powers, axes, keepdims=True)",
           "0/0 in the gradient of a row of -inf"),
    Mutant("lse-constant-sum", "sum(powers, axes, keepdims=True) + nothing",
           "sum(data_of(powers), axes, keepdims=True) + nothing",
           "the sum taken as a constant: the Hessian loses p p'"),
    Mutant("lse-exp", "return spread(g, x, axes) * (powers / (sum(powers, axes, keepdims=True) + nothing))",
           "return spread(g, x, axes) * exp(x)", "e^x for softmax(x)"),
]

EQUIVALENTS = [
    Mutant("factors", "return g * (1 - y * y)", "return g * (1 - y) * (1 + y)", "the same product"),
    Mutant("quotient", "return g * sigmoid(x)", "return g * exp(x - y)", "log sigmoid(x) = x - softplus(x)"),
]
