"""Wrong forms of the solution, for grading the student's own tests. Each is one that people write.

EQUIVALENTS holds two right ones, which no test may fail. Equivalent, and so not among the mutants:
- AdaGrad with theta - lr * g / (delta + sqrt(r)): the same quotient, up to rounding.
- Adam with t counted in the method, from 1: the same numbers as the base's t.
- rho * (r - g*g) + g*g for rho r + (1 - rho) g*g: algebra.
"""
from minigrad.grade import Mutant

SUM = "self.r = self.r + g * g"
AVERAGE = "self.rho * self.r + (1 - self.rho) * g * g"
R_HAT = "r_hat = self.r / (1 - self.rho2 ** self.t)"
ADAGRAD = "self.theta = self.theta - self.lr / (self.delta + np.sqrt(self.r)) * g"
RMSPROP = "self.theta = self.theta - self.lr / np.sqrt(self.delta + self.r) * g"
ADAM = "self.theta = self.theta - self.lr * s_hat / (np.sqrt(r_hat) + self.delta)"

MUTANTS = [
    Mutant("adagrad-forgets", SUM, "self.r = g * g", "r is not accumulated"),
    Mutant("adagrad-no-square", SUM, "self.r = self.r + np.abs(g)", "|g| accumulated, not g*g"),
    Mutant("adagrad-norm", SUM, "self.r = self.r + g @ g",
           "one r for all parameters, from the norm of g"),
    Mutant("adagrad-no-root", ADAGRAD, ADAGRAD.replace("np.sqrt(self.r)", "self.r"), "no root"),
    Mutant("adagrad-delta-inside", ADAGRAD,
           ADAGRAD.replace("(self.delta + np.sqrt(self.r))", "np.sqrt(self.delta + self.r)"),
           "delta inside the root"),
    Mutant("adagrad-no-delta", ADAGRAD, ADAGRAD.replace("self.delta + ", ""), "no delta: 0/0 where g is 0"),
    Mutant("adagrad-sign", ADAGRAD, ADAGRAD.replace("theta - self", "theta + self"), "a step uphill"),
    Mutant("adagrad-late", f"{SUM}\n        {ADAGRAD}", f"{ADAGRAD}\n        {SUM}",
           "r updated after the step: the first one is g/delta long"),
    Mutant("rmsprop-swapped", AVERAGE, "(1 - self.rho) * self.r + self.rho * g * g",
           "rho and 1 - rho exchanged"),
    Mutant("rmsprop-sum", AVERAGE, "self.rho * self.r + g * g", "1 - rho forgotten"),
    Mutant("rmsprop-adagrad", AVERAGE, "self.r + (1 - self.rho) * g * g",
           "r never forgets"),
    Mutant("rmsprop-no-square", "(1 - self.rho) * g * g", "(1 - self.rho) * np.abs(g)", "|g| averaged, not g*g"),
    Mutant("rmsprop-delta-outside", RMSPROP,
           RMSPROP.replace("np.sqrt(self.delta + self.r)", "(self.delta + np.sqrt(self.r))"),
           "delta outside the root"),
    Mutant("rmsprop-no-root", RMSPROP, RMSPROP.replace("np.sqrt(self.delta + self.r)", "(self.delta + self.r)"),
           "no root"),
    Mutant("rmsprop-no-delta", RMSPROP, RMSPROP.replace("self.delta + ", ""), "no delta: 0/0 where g is 0"),
    Mutant("rmsprop-sign", RMSPROP, RMSPROP.replace("theta - self", "theta + self"), "a step uphill"),
    Mutant("adam-s-uncorrected", "s_hat = self.s / (1 - self.rho1 ** self.t)", "s_hat = self.s", "s not corrected"),
    Mutant("adam-r-uncorrected", R_HAT, "r_hat = self.r", "r not corrected"),
    Mutant("adam-t-late", R_HAT, "r_hat = self.r / (1 - self.rho2 ** (self.t + 1))",
           "t one too large"),
    Mutant("adam-t-fixed", "s_hat = self.s / (1 - self.rho1 ** self.t)", "s_hat = self.s / (1 - self.rho1)",
           "corrected as if each step were the first"),
    Mutant("adam-rho-s", "s_hat = self.s / (1 - self.rho1 ** self.t)", "s_hat = self.s / (1 - self.rho2 ** self.t)",
           "s corrected with rho2"),
    Mutant("adam-rho-r", "self.rho2 * self.r + (1 - self.rho2) * g * g", "self.rho1 * self.r + (1 - self.rho1) * g * g",
           "r averaged with rho1"),
    Mutant("adam-rho-swapped", "self.rho1 * self.s + (1 - self.rho1) * g", "(1 - self.rho1) * self.s + self.rho1 * g",
           "rho1 and 1 - rho1 exchanged"),
    Mutant("adam-s-sum", "self.rho1 * self.s + (1 - self.rho1) * g", "self.rho1 * self.s + g", "1 - rho1 forgotten"),
    Mutant("adam-no-momentum", ADAM, ADAM.replace("s_hat", "g"), "g for s^: RMSProp, corrected"),
    Mutant("adam-delta-inside", ADAM, ADAM.replace("(np.sqrt(r_hat) + self.delta)", "np.sqrt(r_hat + self.delta)"),
           "delta inside the root"),
    Mutant("adam-delta-early", ADAM,
           ADAM.replace("(np.sqrt(r_hat) + self.delta)",
                        "((np.sqrt(self.r) + self.delta) / np.sqrt(1 - self.rho2 ** self.t))"),
           "delta added before the correction"),
    Mutant("adam-no-root", ADAM, ADAM.replace("np.sqrt(r_hat)", "r_hat"), "no root"),
    Mutant("adam-no-delta", ADAM, ADAM.replace(" + self.delta", ""), "no delta: 0/0 where g is 0"),
    Mutant("adam-sign", ADAM, ADAM.replace("theta - self", "theta + self"), "a step uphill"),
]

EQUIVALENTS = [
    Mutant("quotient", ADAGRAD, "self.theta = self.theta - self.lr * g / (self.delta + np.sqrt(self.r))",
           "the same quotient"),
    Mutant("average", AVERAGE, "self.r + (1 - self.rho) * (g * g - self.r)", "the same average"),
]
