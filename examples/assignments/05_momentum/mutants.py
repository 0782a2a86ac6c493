"""Wrong momenta, each with what a suite that misses it does not look at; EQUIVALENTS are right, no test may fail them.

Left out because they are no other program: `alpha * v + (-lr * g)`, `theta + v` written in place on the own copy, and
`np.zeros(len(theta))` for zeros_like of floats give the same numbers for every input that the handout allows.
"""
from minigrad.grade import Mutant

V = "        self.v = self.momentum * self.v - self.lr * g\n"
THETA = "        self.theta = self.theta + self.v\n"
BOTH = V + THETA
POINT = "        return self.theta + self.momentum * self.v\n"
SPEED = "    return lr * np.sqrt(np.sum(np.square(g))) / (1 - momentum)\n"
ASK = "        at = opt.point() if hasattr(opt, \"point\") else opt.theta\n"

MUTANTS = [
    Mutant("sign", V, "        self.v = self.momentum * self.v + self.lr * g\n",
           "the first step goes against the gradient"),
    Mutant("no-memory", V, "        self.v = -self.lr * g\n",
           "the second step remembers the first: v is not just -lr g"),
    Mutant("no-decay", V, "        self.v = self.v - self.lr * g\n", "old gradients fade by alpha at every step"),
    Mutant("average", V, "        self.v = self.momentum * self.v - (1 - self.momentum) * self.lr * g\n",
           "the gradient enters whole: v is no average"),
    Mutant("rate-outside", BOTH,
           "        self.v = self.momentum * self.v - g\n        self.theta = self.theta + self.lr * self.v\n",
           "v holds the learning rate: look at v, or change lr between steps"),
    Mutant("rate-on-all", V, "        self.v = self.lr * (self.momentum * self.v - g)\n",
           "the learning rate is not for the old velocity: take two steps"),
    Mutant("squared-rate", V, "        self.v = self.momentum * self.v - self.lr * self.lr * g\n",
           "the size of a step: lr, once"),
    Mutant("theta-minus-v", THETA, "        self.theta = self.theta - self.v\n", "theta moves along v"),
    Mutant("theta-first", BOTH, "        self.theta = self.theta + self.v\n" + V,
           "theta moves with the new v: the first step is no standstill"),
    Mutant("one-step-of-sgd", THETA, "        self.theta = self.theta - self.lr * g\n",
           "theta moves by v, not by the gradient alone: take two steps"),
    Mutant("look-ahead", THETA, "        self.theta = self.theta + self.momentum * self.v - self.lr * g\n",
           "theta moves by v once: this adds it and the gradient again"),
    Mutant("in-place-g", V, "        g *= self.lr\n        self.v = self.momentum * self.v - g\n",
           "the gradient belongs to the caller: compare it before and after"),
    Mutant("shared-start", "        self.theta = np.array(theta, dtype=float)\n",
           "        self.theta = theta\n", "the start is copied: change it after the optimizer is made"),
    Mutant("start-velocity", "np.zeros_like(self.theta)", "np.ones_like(self.theta)",
           "v starts at 0"),
    Mutant("fixed-alpha", V, "        self.v = 0.9 * self.v - self.lr * g\n",
           "alpha is an argument: try one that is not 0.9"),
    Mutant("absolute", V, "        self.v = self.momentum * self.v - self.lr * np.abs(g)\n",
           "gradients may be negative"),
    Mutant("interim-at-theta", POINT, "        return self.theta.copy()\n", "theta~ is ahead of theta once v is not 0"),
    Mutant("interim-full-v", POINT, "        return self.theta + self.v\n", "theta~ is theta + alpha v, not theta + v"),
    Mutant("interim-behind", POINT, "        return self.theta - self.momentum * self.v\n",
           "theta~ lies ahead, along v"),
    Mutant("interim-moves", POINT,
           "        self.theta = self.theta + self.momentum * self.v\n        return self.theta\n",
           "asking for theta~ leaves theta where it is"),
    Mutant("never-interim", ASK, "        at = opt.theta\n", "descend with Nesterov asks for the gradient at theta~"),
    Mutant("one-less", "range(1, steps + 1)", "range(1, steps)", "descend makes `steps` steps: count the rows"),
    Mutant("rate-from-zero", "opt.lr = lr(k)", "opt.lr = lr(k - 1)", "a schedule is asked for k = 1, 2, ..."),
    Mutant("rate-once", "        if callable(lr):\n", "        if callable(lr) and k == 1:\n",
           "a schedule is asked before every step"),
    Mutant("interim-path", "path.append(opt.theta.copy())",
           "path.append(opt.point() if hasattr(opt, \"point\") else opt.theta)",
           "Nesterov's path is theta's, not theta~'s"),
    Mutant("no-start", "    path = [opt.theta.copy()]\n", "    path = []\n", "the path begins with the start"),
    Mutant("speed-without-norm", SPEED, "    return lr * np.sum(g) / (1 - momentum)\n",
           "the terminal velocity is a length: try a gradient with a negative entry"),
    Mutant("speed-plus", SPEED, SPEED.replace("1 - momentum", "1 + momentum"), "8.17 divides by 1 - alpha"),
    Mutant("speed-no-rate", SPEED, SPEED.replace("lr * ", ""), "the terminal velocity holds the learning rate"),
]

EQUIVALENTS = [
    Mutant("other-order", BOTH, "        step = self.lr * g\n        self.v = -step + self.v * self.momentum\n"
           "        self.theta = self.v + self.theta\n", "the same sums in another order"),
    Mutant("norm", SPEED, "    return float(np.linalg.norm(lr * np.asarray(g)) / (1.0 - momentum))\n",
           "the same length"),
]
