"""The checks of 13_write_the_tests: right and wrong forms of training.py in an order that the tests cannot know. A test
that fails a right one is wrong; a wrong one that no test fails is missed. All of mutants.py is gone through as well,
for the points of the whole suite: its report is the matrix of tests and wrong programs."""
from pathlib import Path

from minigrad.grade import Assignment, task
from minigrad.grade.restate import restate

assignment = Assignment(
    title="Write the tests", sections="8.1.3, 8.2.4, 8.3.2", minutes=90, module="test_mine", subject="training",
    mutant_points=12)


def program(old="", new=""):
    """training.py, with one line changed."""
    text = Path(__file__).with_name("training.py").read_text()
    if text.count(old) != 1 and old:
        raise ValueError(f"training.py has {old!r} {text.count(old)} times")
    return text.replace(old, new) if old else text


def judged(case, prefix, wrong, right=()):
    """wrong: (old, new, what is wrong in it); right: (old, new). Tests must pass the right and fail the wrong ones."""
    programs = [(program(), ""), (restate(program()), "")] + [(program(*one), "") for one in right]
    programs += [(program(old, new), message) for old, new, message in wrong]
    order = case.rng.permutation(len(programs))
    passed = case.ask("judge", texts=[programs[at][0] for at in order], prefix=prefix)["passed"]
    case.true(passed.ndim == 2 and len(passed) == len(programs) and passed.shape[1] > 0,
              f"there is no test whose name begins with {prefix}")
    for at, row in zip(order, passed):
        if not programs[at][1]:
            case.true(bool(row.all()), "a test fails a right program: it asks for more than the docstring promises, or "
                      "for digits that depend on the order of a sum")
    for at, row in zip(order, passed):
        message = programs[at][1]
        case.true(not message or not row.all(), f"not found: {message}")


# --------------------------------------------------------------------------------------------------- 1: cross-entropy

@task("1.1", "tests of cross_entropy: three mistakes", points=1, visibility="public")
def cross_entropy(case):
    judged(case, "test_cross_entropy", [
        ("labels].mean()", "labels].sum()", "J is the sum over the examples, not the mean"),
        ("return J, d / m", "return J, d", "the gradient is not divided by m"),
        ("shifted = logits - logits.max(axis=1, keepdims=True)", "shifted = logits", "large logits overflow")])


@task("1.2", "tests of cross_entropy: further mistakes", points=2)
def cross_entropy_more(case):
    judged(case, "test_cross_entropy", [
        ("d[np.arange(m), labels] -= 1", "d[:, labels] -= 1", "the 1 is subtracted in every row, for every label"),
        ("J = -log_p", "J = log_p", "the sign of J"),
        ("logits.max(axis=1, keepdims=True)", "logits.max()", "one shift for all examples: a small one underflows"),
        ("shifted = logits - logits.max(axis=1, keepdims=True)",
         "logits -= logits.max(axis=1, keepdims=True)\n    shifted = logits", "the caller's logits are written into")],
        right=[("return J, d / m", "return J, d * (1 / m)")])


# --------------------------------------------------------------------------------------------------------- 2: clipping

@task("2.1", "tests of clip_by_norm: two mistakes", points=1, visibility="public")
def clip(case):
    judged(case, "test_clip", [
        ("if length > threshold else 1.0", "if length < threshold else 1.0", "short gradients are made longer"),
        ("return factor * g", "return np.clip(g, -threshold, threshold)", "each entry by itself: it turns")])


@task("2.2", "tests of clip_by_norm: further mistakes", points=2)
def clip_more(case):
    judged(case, "test_clip", [
        ("length = np.sqrt((g * g).sum())", "length = (g * g).sum()", "the square of the length"),
        ("return factor * g", "g *= factor\n    return g", "the caller's g is written into"),
        ("factor = threshold / length if length > threshold else 1.0", "factor = np.minimum(1.0, threshold / length)"
         " if length else np.nan", "g = 0 becomes NaN"),
        ("return factor * g", "return factor * np.abs(g)", "signs are lost")],
        right=[("length = np.sqrt((g * g).sum())", "length = float(np.linalg.norm(g))")])


# --------------------------------------------------------------------------------------------------------- 3: momentum

@task("3.1", "tests of Momentum: two mistakes", points=1, visibility="public")
def momentum(case):
    judged(case, "test_momentum", [
        ("self.v = self.alpha * self.v - self.lr * g", "self.v = -self.lr * g", "v forgets: gradient descent"),
        ("return theta + self.v", "theta += self.v\n        return theta", "the caller's theta is written into")])


@task("3.2", "tests of Momentum: further mistakes", points=2)
def momentum_more(case):
    judged(case, "test_momentum", [
        ("self.alpha * self.v - self.lr * g", "self.alpha * self.v - (1 - self.alpha) * self.lr * g",
         "g has the weight 1 - alpha"),
        ("self.v = self.alpha * self.v - self.lr * g\n        return theta + self.v",
         "self.v = self.alpha * self.v + g\n        return theta - self.lr * self.v",
         "lr outside of v: another method as soon as lr changes"),
        ("self.lr, self.alpha, self.v = lr, alpha, 0.0", "self.lr, self.alpha, self.v = lr, 0.9, 0.0",
         "alpha is always 0.9")],
        right=[("return theta + self.v", "return self.v + theta")])


# ------------------------------------------------------------------------------------------------------ 4: minibatches

@task("4.1", "tests of minibatches: two mistakes", points=1, visibility="public")
def batches(case):
    judged(case, "test_minibatches", [
        ("range(0, m, size)]", "range(0, m - size + 1, size)]", "what is left at the end is dropped"),
        ("order = rng.permutation(m)", "order = np.arange(m)", "not shuffled")])


@task("4.2", "tests of minibatches: further mistakes", points=2)
def batches_more(case):
    judged(case, "test_minibatches", [
        ("order = rng.permutation(m)", "order = rng.integers(m, size=m)", "drawn with replacement"),
        ("order = rng.permutation(m)", "order = np.random.default_rng(0).permutation(m)", "every epoch in one order"),
        ("order[start:start + size]", "order[start:start + size + 1]", "neighbouring batches share an example")],
        right=[("order = rng.permutation(m)", "order = np.arange(m)\n    rng.shuffle(order)")])
