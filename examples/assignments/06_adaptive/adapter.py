"""What the grader calls, and what of yours it gets. Designed it otherwise? Change the bodies, keep the names.

    make(method, theta, **hyper)    a new optimizer: method "adagrad", "rmsprop" or "adam", theta (n,), and what is not
                                    to be the default of lr, delta, rho, rho1, rho2
    step(optimizer, g)              one step with the gradient g (n,)
    theta(optimizer)                the parameters now (n,)
    set_lr(optimizer, lr)           from now on that learning rate: a schedule does this before each step
"""
import adaptive as mine


def make(method, theta, **hyper):
    return {"adagrad": mine.AdaGrad, "rmsprop": mine.RMSProp, "adam": mine.Adam}[method](theta, **hyper)


def step(optimizer, g):
    optimizer.step(g)


def theta(optimizer):
    return optimizer.theta


def set_lr(optimizer, lr):
    optimizer.lr = lr
