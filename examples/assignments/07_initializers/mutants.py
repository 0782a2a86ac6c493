"""Wrong forms of the solution, for grading the student's own tests. Each is one that people write.

EQUIVALENTS holds two right ones, which no test may fail. Equivalent, and so not among the mutants:
- softmax_bias without dividing by counts.sum(): b changes by a constant, softmax(b) not at all.
- np.sign(np.diag(r)) for the where: a diagonal entry of R is 0 with probability 0.
- q * sign computed before or after the transposition with the signs moved along: the same matrix.
"""
from minigrad.grade import Mutant

GLOROT = "uniform(shape, math.sqrt(6 / sum(fans(shape))), rng, dtype)"
FANS = "return kernel * shape[-2], kernel * shape[-1]"
SIGNS = "q *= np.where(np.diag(r) < 0, -1.0, 1.0)"
ROWS = "rows = rng.random((m, n)).argsort(axis=0)[:k]"
PUT = "np.put_along_axis(w, rows, std * rng.standard_normal((k, n)), axis=0)"
LOGIT = "np.log(on + added) - np.log(off + added)"

MUTANTS = [
    Mutant("fans-no-kernel", "kernel = math.prod(shape[:-2])", "kernel = 1", "the kernel does not count"),
    Mutant("fans-inputs", "kernel = math.prod(shape[:-2])", "kernel = math.prod(shape[:-1])", "the inputs count twice"),
    Mutant("fans-swapped", FANS, "return kernel * shape[-1], kernel * shape[-2]", "fan_in and fan_out exchanged"),
    Mutant("fans-out", FANS, "return kernel * shape[-2], shape[-1]", "the kernel multiplies fan_in only"),
    Mutant("glorot-three", GLOROT, GLOROT.replace("6 /", "3 /"), "3 for 6: half the variance"),
    Mutant("glorot-std", GLOROT, GLOROT.replace("6 /", "2 /"), "the standard deviation taken as the limit"),
    Mutant("glorot-no-root", GLOROT, "uniform(shape, 6 / sum(fans(shape)), rng, dtype)", "no root"),
    Mutant("glorot-in", GLOROT, GLOROT.replace("sum(fans(shape))", "fans(shape)[0]"), "m for m + n: He's limit"),
    Mutant("glorot-mean", GLOROT, GLOROT.replace("6 / sum", "12 / sum"), "the mean of the fans for their sum"),
    Mutant("glorot-normal", GLOROT, "math.sqrt(2 / sum(fans(shape))) * generator(rng).standard_normal(shape)",
           "Gaussian, of the right variance"),
    Mutant("orthogonal-signs", SIGNS, "pass", "QR's own signs: not uniform"),
    Mutant("orthogonal-absolute", SIGNS, "q = np.abs(q)", "|q|: not orthogonal"),
    Mutant("orthogonal-one-sign", SIGNS, "q *= -1.0 if r[0, 0] < 0 else 1.0", "one sign for all columns"),
    Mutant("orthogonal-opposite", SIGNS, "q *= np.where(q[0] < 0, -1.0, 1.0)", "the first row made positive"),
    Mutant("orthogonal-uniform", "z = generator(rng).standard_normal((m, shape[-1]))",
           "z = generator(rng).random((m, shape[-1]))", "QR of positive numbers: not uniform"),
    Mutant("orthogonal-gain", "(gain * q).reshape", "(gain ** 2 * q).reshape", "gain^2 for gain"),
    Mutant("orthogonal-no-gain", "(gain * q).reshape", "q.reshape", "gain forgotten"),
    Mutant("orthogonal-normalized", "q, r = np.linalg.qr(z)",
           "q, r = z / np.linalg.norm(z, axis=0), np.linalg.qr(z)[1]", "unit columns, not orthogonal ones"),
    Mutant("orthogonal-not-back", "q = q.T", "pass", "the wide matrix is not turned back, but reshaped"),
    Mutant("sparse-rest", ROWS, ROWS.replace("[:k]", "[:m - k]") + "; k = len(rows)", "k zeros, not k weights"),
    Mutant("sparse-more", ROWS, ROWS.replace("[:k]", "[:k + 1]") + "; k = len(rows)", "k + 1 weights"),
    Mutant("sparse-again", ROWS, "rows = rng.integers(m, size=(k, n))", "an input may be drawn twice: fewer than k"),
    Mutant("sparse-same", ROWS, "rows = np.repeat(rng.permutation(m)[:k, None], n, axis=1)",
           "the same inputs for all units"),
    Mutant("sparse-first", ROWS, "rows = np.repeat(np.arange(k)[:, None], n, axis=1)", "the first k inputs"),
    Mutant("sparse-std", PUT, PUT.replace("std * ", ""), "std forgotten"),
    Mutant("sparse-shrinks", PUT, PUT.replace("std *", "std / np.sqrt(m) *"), "weights that shrink with the inputs"),
    Mutant("sparse-constant", PUT, PUT.replace("rng.standard_normal((k, n))", "np.ones((k, n))"), "all weights alike"),
    Mutant("softmax-no-log", "np.log(counts / counts.sum())", "counts / counts.sum()", "c for log c"),
    Mutant("softmax-smoothed", "counts += smoothing((counts > 0).all())", "counts += 1", "smoothed always: not exact"),
    Mutant("softmax-unsmoothed", "counts += smoothing((counts > 0).all())", "pass", "log 0"),
    Mutant("softmax-classes", "minlength=classes or 0", "minlength=0", "as many biases as the largest label says"),
    Mutant("sigmoid-sign", LOGIT, "np.log(off + added) - np.log(on + added)", "the sign: log((1 - c)/c)"),
    Mutant("sigmoid-log", LOGIT, "np.log((on + added) / (len(targets) + 2 * added))", "log c, as for a softmax"),
    Mutant("sigmoid-mean", LOGIT, "(on + added) / (len(targets) + 2 * added)",
           "the mean itself, as for linear outputs"),
    Mutant("sigmoid-unsmoothed", "added = smoothing((on > 0).all() and (off > 0).all())", "added = 0.0",
           "an infinite bias"),
    Mutant("sigmoid-all", "on = targets.sum(axis=0, dtype=np.float64)",
           "on = np.full(targets.shape[1], targets.sum() / targets.shape[1])", "one mean for all outputs"),
]

EQUIVALENTS = [
    Mutant("signs", SIGNS, "q *= np.sign(np.diag(r))", "R's diagonal is never 0"),
    Mutant("counts", "np.log(counts / counts.sum())", "np.log(counts)", "softmax does not see a constant"),
]
