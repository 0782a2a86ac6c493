"""Wrong forms of training.py, for the whole suite. Each is one that people write.

EQUIVALENTS holds right ones, which no test may fail. Equivalent, and so not among the mutants:
- `length >= threshold` for `>`: at equality the factor is 1.
- v begins at np.zeros_like(theta): the same sums.
- shifted by another number than the largest, as long as it is near it.
"""
from minigrad.grade import Mutant

SHIFT = "shifted = logits - logits.max(axis=1, keepdims=True)"
LENGTH, FACTOR = "length = np.sqrt((g * g).sum())", "factor = threshold / length if length > threshold else 1.0"
V, ORDER = "self.v = self.alpha * self.v - self.lr * g", "order = rng.permutation(m)"
SLICE = "order[start:start + size]"

MUTANTS = [
    Mutant("loss-sum", "labels].mean()", "labels].sum()", "J is the sum over the examples, not the mean"),
    Mutant("loss-sign", "J = -log_p", "J = log_p", "the sign of J"),
    Mutant("loss-overflow", SHIFT, "shifted = logits", "large logits overflow"),
    Mutant("loss-one-shift", SHIFT, "shifted = logits - logits.max()", "one shift for all examples: some underflow"),
    Mutant("loss-writes", SHIFT, "logits -= logits.max(axis=1, keepdims=True)\n    shifted = logits",
           "the caller's logits are written into"),
    Mutant("loss-axis", "np.exp(shifted).sum(axis=1, keepdims=True)", "np.exp(shifted).sum(axis=0, keepdims=True)",
           "softmax over the examples"),
    Mutant("loss-no-log", "np.log(np.exp(shifted).sum(axis=1, keepdims=True))",
           "np.exp(shifted).sum(axis=1, keepdims=True)", "the logarithm is forgotten"),
    Mutant("gradient-not-mean", "return J, d / m", "return J, d", "the gradient is not divided by m"),
    Mutant("gradient-by-k", "return J, d / m", "return J, d / logits.shape[1]", "divided by the classes"),
    Mutant("gradient-no-label", "d[np.arange(m), labels] -= 1", "pass", "the 1 at the label is not subtracted"),
    Mutant("gradient-all-rows", "d[np.arange(m), labels] -= 1", "d[:, labels] -= 1",
           "the 1 is subtracted in every row, for every label"),
    Mutant("gradient-of-logits", "d = np.exp(log_p)", "d = log_p.copy()", "log p for p"),
    Mutant("clip-inverted", "if length > threshold else 1.0", "if length < threshold else 1.0",
           "short gradients are made longer"),
    Mutant("clip-always", FACTOR, "factor = threshold / length if length else 1.0", "every gradient gets the length"),
    Mutant("clip-square", LENGTH, "length = (g * g).sum()", "the square of the length"),
    Mutant("clip-largest", LENGTH, "length = np.abs(g).max()", "the largest entry for the length"),
    Mutant("clip-entries", "return factor * g", "return np.clip(g, -threshold, threshold)",
           "each entry by itself: the direction changes"),
    Mutant("clip-writes", "return factor * g", "g *= factor\n    return g", "the caller's g is written into"),
    Mutant("clip-same-array", "return factor * g", "return factor * g if factor < 1 else g",
           "no new array where nothing is clipped"),
    Mutant("clip-zero", FACTOR, "factor = min(1.0, threshold / length) if length else np.nan", "g = 0 becomes NaN"),
    Mutant("momentum-forgets", V, "self.v = -self.lr * g", "v forgets: gradient descent"),
    Mutant("momentum-sign", "return theta + self.v", "return theta - self.v", "uphill"),
    Mutant("momentum-average", V, "self.v = self.alpha * self.v - (1 - self.alpha) * self.lr * g",
           "g has the weight 1 - alpha"),
    Mutant("momentum-rate-outside", V + "\n        return theta + self.v",
           "self.v = self.alpha * self.v + g\n        return theta - self.lr * self.v",
           "lr outside of v: another method as soon as lr changes"),
    Mutant("momentum-fixed-alpha", "self.v = lr, alpha, 0.0", "self.v = lr, 0.9, 0.0", "alpha is always 0.9"),
    Mutant("momentum-default", "alpha=0.9", "alpha=0.0", "another default"),
    Mutant("momentum-late", V + "\n        return theta + self.v",
           "new = theta + self.v\n        " + V + "\n        return new", "the step is made with the old v"),
    Mutant("momentum-writes", "return theta + self.v", "theta += self.v\n        return theta",
           "the caller's theta is written into"),
    Mutant("momentum-writes-g", V, "g *= self.lr\n        self.v = self.alpha * self.v - g",
           "the caller's g is written into"),
    Mutant("momentum-shared", V, "Momentum.shared = self.alpha * getattr(Momentum, 'shared', 0.0) - self.lr * g\n"
           "        self.v = Momentum.shared", "all optimizers share one v"),
    Mutant("batches-dropped", "range(0, m, size)]", "range(0, m - size + 1, size)]", "the rest at the end is dropped"),
    Mutant("batches-in-order", ORDER, "order = np.arange(m)", "not shuffled"),
    Mutant("batches-replacement", ORDER, "order = rng.integers(m, size=m)", "drawn with replacement"),
    Mutant("batches-one-order", ORDER, "order = np.random.default_rng(0).permutation(m)", "every epoch in one order"),
    Mutant("batches-unseeded", ORDER, "order = np.random.default_rng().permutation(m)", "rng is not used"),
    Mutant("batches-rotated", ORDER, "order = (np.arange(m) + rng.integers(m)) % m", "only the start is random"),
    Mutant("batches-overlap", SLICE, "order[start:start + size + 1]", "neighbouring batches share an example"),
    Mutant("batches-wrapped", SLICE, "np.resize(order, 2 * m)[start:start + size]",
           "the last batch is filled up from the first"),
    Mutant("batches-shuffled-inside", ORDER, "order = np.arange(m)\n    for start in range(0, m, size):\n"
           "        rng.shuffle(order[start:start + size])", "shuffled inside of the batches only"),
    Mutant("batches-order-of-batches", ORDER, "order = np.concatenate([np.arange(m)[k * size:(k + 1) * size] "
           "for k in rng.permutation(-(-m // size))])", "the batches change places, not the examples"),
]

EQUIVALENTS = [
    Mutant("right-softmax", "d = np.exp(log_p)", "d = np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True)",
           "p by the quotient"),
    Mutant("right-norm", LENGTH, "length = float(np.linalg.norm(g))", "NumPy's norm"),
    Mutant("right-step", V, "self.v = -(self.lr * g - self.alpha * self.v)", "the same difference"),
    Mutant("right-shuffle", ORDER, "order = np.arange(m)\n    rng.shuffle(order)", "another way to shuffle"),
]
