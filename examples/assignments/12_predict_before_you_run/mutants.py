"""Wrong predictions, for grading the student's own tests. Each is one that people make.

EQUIVALENTS holds two right ones, which no test may fail. Equivalent, and so not among the mutants:
- the largest eigenvalue as the spectral norm np.linalg.norm(H, 2): the same for a positive definite H.
- 0 for Newton's factor: 1 - lambda/lambda.
- >= 1 for > 1 in leaves: differs only where a factor is exactly 1, an eigenvalue of 0.
"""
from minigrad.grade import Mutant

STEEPEST = "steepest = np.linalg.eigvalsh(H)[-1]"
NESTEROV = "return (2 + 2 * momentum) / (1 + 2 * momentum) / steepest"
MOMENTUM = "return 2 * (1 + momentum) / steepest"
SEEN = "seen = eigenvalues[there]"
STEPS = "return 1 + int(np.sum(np.diff(seen) > TOLERANCE * eigenvalues[-1]))"
DAMPED = "return 1 - eigenvalue / (eigenvalue + setting)"
FREE = "return 1 - eigenvalue / np.abs(eigenvalue)"
LEAVES = "return bool(np.any(np.abs(factor(method, eigenvalues, setting))[there] > 1))"

MUTANTS = [
    Mutant("smallest", STEEPEST, "steepest = np.linalg.eigvalsh(H)[0]", "the smallest eigenvalue"),
    Mutant("mean", STEEPEST, "steepest = np.linalg.eigvalsh(H).mean()", "the mean of the eigenvalues"),
    Mutant("trace", STEEPEST, "steepest = np.trace(H)", "the trace: safe, but not the largest rate"),
    Mutant("diagonal", STEEPEST, "steepest = np.diag(H).max()",
           "the largest diagonal entry: right only if H is diagonal"),
    Mutant("frobenius", STEEPEST, "steepest = np.linalg.norm(H)", "the Frobenius norm"),
    Mutant("one", "return 2 / steepest", "return 1 / steepest", "1 for 2: the fastest rate, not the largest"),
    Mutant("momentum-none", MOMENTUM, "return 2 / steepest + 0", "momentum changes nothing"),
    Mutant("momentum-less", MOMENTUM, MOMENTUM.replace("1 + m", "1 - m"), "1 - alpha for 1 + alpha"),
    Mutant("momentum-velocity", MOMENTUM, "return 2 / (1 - momentum) / steepest",
           "the terminal velocity's 1/(1 - alpha)"),
    Mutant("nesterov-momentum", NESTEROV, "return 2 * (1 + momentum) / (steepest + 0)", "Nesterov as momentum"),
    Mutant("nesterov-half", NESTEROV, NESTEROV.replace("1 + 2 * m", "1 + m"), "alpha for 2 alpha below the line"),
    Mutant("nesterov-none", NESTEROV, "return 2 / (steepest + 0)", "Nesterov as gradient descent"),
    Mutant("cg-n", STEPS, "return len(eigenvalues)", "n steps, whatever H is"),
    Mutant("cg-all", SEEN, "seen = eigenvalues", "eigenvalues that the gradient does not meet"),
    Mutant("cg-parts", STEPS, "return len(seen)", "equal eigenvalues counted more than once"),
    Mutant("cg-unique", STEPS, "return len(np.unique(seen))", "rounding tells equal eigenvalues apart"),
    Mutant("cg-one-less", STEPS, STEPS.replace("1 + ", ""), "one step too few"),
    Mutant("cg-coarse", STEPS, STEPS.replace("TOLERANCE * ", "0.3 * "), "neighbours taken for one"),
    Mutant("descent-sign", "return 1 - setting * eigenvalue", "return 1 + setting * eigenvalue", "uphill"),
    Mutant("descent-absolute", "return 1 - setting * eigenvalue", "return 1 - setting * np.abs(eigenvalue)",
           "negative curvature taken as positive"),
    Mutant("newton-away", "return 1 - eigenvalue / eigenvalue", "return 1 - eigenvalue / np.abs(eigenvalue + 0)",
           "Newton's method leaves saddles"),
    Mutant("newton-stays", "return 1 - eigenvalue / eigenvalue", "return eigenvalue / eigenvalue",
           "1: it does not move"),
    Mutant("damped-sign", DAMPED, DAMPED.replace("+ setting", "- setting"), "alpha subtracted"),
    Mutant("damped-absolute", DAMPED, DAMPED.replace("(eigenvalue + setting)", "(np.abs(eigenvalue) + setting)"),
           "saddle-free, and damped"),
    Mutant("damped-newton", DAMPED, "return 0 * eigenvalue", "alpha changes nothing"),
    Mutant("free-newton", FREE, "return 0 * eigenvalue", "as Newton's method"),
    Mutant("free-squared", FREE, "return 1 - eigenvalue / eigenvalue ** 2", "divided by the square"),
    Mutant("leaves-ignores-start", LEAVES, LEAVES.replace("[there]", ""), "parts that the start has not"),
    Mutant("leaves-all", LEAVES, LEAVES.replace("np.any", "np.all"), "every part must grow"),
    Mutant("leaves-positive", LEAVES, "return bool(np.any(factor(method, eigenvalues, setting)[there] > 1))",
           "a factor below -1 taken as one that shrinks"),
    Mutant("leaves-negative", LEAVES, "return bool(np.any(eigenvalues[there] < 0))", "the method does not matter"),
    Mutant("leaves-saddle", LEAVES, "return bool(np.any(eigenvalues < 0)) and method != 'newton'",
           "the start and the setting do not matter"),
    Mutant("leaves-inverted", LEAVES, "return not " + LEAVES.removeprefix("return "), "stays and leaves exchanged"),
]

EQUIVALENTS = [
    Mutant("norm", STEEPEST, "steepest = np.linalg.norm(H, 2)", "the largest eigenvalue of a positive definite H"),
    Mutant("zero", "return 1 - eigenvalue / eigenvalue", "return 0 * eigenvalue", "1 - 1"),
]
