"""The algorithm boxes, each transcribed on its own with plain loops over plain floats: references for `minigrad.optim`.

A box is a generator. `momentum(theta, grad, lr=0.1)` yields after every pass of its loop a dict of the symbols, in the
order in which the box's lines compute them, as lists of floats. grad(theta) -> n numbers. lr may be a number or a
function of the step k = 1, 2, ... The boxes share no code with `minigrad.optim` nor with each other, on purpose: a
mistake in one shows. In a docstring each line "symbol <- ..." is the line that `check_optimizer` quotes.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from math import isnan, prod, sqrt
from typing import Any

Function = Callable[..., Any]
Steps = Iterator[dict[str, Any]]          # the symbols of the box, after each step


def sgd(theta: Any, grad: Function, lr: float) -> Steps:
    """Algorithm 8.1.

    theta <- theta - lr g
    """
    theta = [float(x) for x in theta]
    for k in count(1):
        epsilon = lr(k) if callable(lr) else lr
        g = [float(x) for x in grad(theta)]
        for i in range(len(theta)):
            theta[i] = theta[i] - epsilon * g[i]
        yield {"g": g, "theta": theta}


def momentum(theta: Any, grad: Function, lr: float, momentum: float = 0.9) -> Steps:
    """Algorithm 8.2.

    v <- alpha v - lr g
    theta <- theta + v
    """
    theta = [float(x) for x in theta]
    v = [0.0 for _ in theta]
    for k in count(1):
        epsilon = lr(k) if callable(lr) else lr
        alpha = momentum(k) if callable(momentum) else momentum
        g = [float(x) for x in grad(theta)]
        for i in range(len(theta)):
            v[i] = alpha * v[i] - epsilon * g[i]
        for i in range(len(theta)):
            theta[i] = theta[i] + v[i]
        yield {"g": g, "v": v, "theta": theta}


def nesterov(theta: Any, grad: Function, lr: float, momentum: float = 0.9) -> Steps:
    """Algorithm 8.3.

    interim <- theta + alpha v
    g <- gradient at the interim point
    v <- alpha v - lr g
    theta <- theta + v
    """
    theta = [float(x) for x in theta]
    v = [0.0] * len(theta)
    for k in count(1):
        epsilon = lr(k) if callable(lr) else lr
        alpha = momentum(k) if callable(momentum) else momentum
        interim = [x + alpha * w for x, w in zip(theta, v)]
        g = [float(x) for x in grad(interim)]
        v = [alpha * w - epsilon * d for w, d in zip(v, g)]
        theta = [x + w for x, w in zip(theta, v)]
        yield {"interim": interim, "g": g, "v": v, "theta": theta}


def nesterov_notes(theta: Any, grad: Function, lr: float, momentum: float = 0.9) -> Steps:
    """The course notes' Nesterov; the last alpha is the next step's (the notes have one alpha).

    v <- alpha v - lr g
    theta <- theta - alpha v_before + (1 + alpha) v
    """
    x = [float(value) for value in theta]
    v = [0.0] * len(x)
    for k in count(1):
        epsilon = lr(k) if callable(lr) else lr
        now = momentum(k) if callable(momentum) else momentum
        then = momentum(k + 1) if callable(momentum) else momentum
        dx = [float(value) for value in grad(x)]
        for i in range(len(x)):
            old_v = v[i]
            v[i] = now * old_v - epsilon * dx[i]
            x[i] += -now * old_v + (1 + then) * v[i]
        yield {"g": dx, "v": v, "theta": x}


def momentum_notes(theta: Any, grad: Function, lr: float, momentum: float = 0.9) -> Steps:
    """The course notes' momentum.

    v <- alpha v + g
    theta <- theta - lr v
    """
    x = [float(value) for value in theta]
    v = [0.0] * len(x)
    for k in count(1):
        dx = [float(value) for value in grad(x)]
        for i in range(len(x)):
            v[i] = (momentum(k) if callable(momentum) else momentum) * v[i] + dx[i]
            x[i] -= (lr(k) if callable(lr) else lr) * v[i]
        yield {"g": dx, "v": v, "theta": x}


def adagrad(theta: Any, grad: Function, lr: float = 0.01, delta: float = 1e-7) -> Steps:
    """Algorithm 8.4.

    r <- r + g*g
    theta <- theta - lr g / (delta + sqrt(r))
    """
    theta = [float(x) for x in theta]
    r = [0.0 for _ in theta]
    for k in count(1):
        g = [float(x) for x in grad(theta)]
        for i, d in enumerate(g):
            r[i] = r[i] + d * d
        for i, d in enumerate(g):
            update = -(lr(k) if callable(lr) else lr) / (delta + sqrt(r[i])) * d
            theta[i] = theta[i] + update
        yield {"g": g, "r": r, "theta": theta}


def rmsprop(theta: Any, grad: Function, lr: float = 0.001, rho: float = 0.9, delta: float = 1e-6) -> Steps:
    """Algorithm 8.5.

    r <- rho r + (1 - rho) g*g
    theta <- theta - lr g / sqrt(delta + r)
    """
    theta = [float(x) for x in theta]
    r = [0.0 for _ in theta]
    for k in count(1):
        epsilon = lr(k) if callable(lr) else lr
        g = [float(x) for x in grad(theta)]
        r = [rho * a + (1 - rho) * d * d for a, d in zip(r, g)]
        theta = [x - epsilon / sqrt(delta + a) * d for x, a, d in zip(theta, r, g)]
        yield {"g": g, "r": r, "theta": theta}


def rmsprop_nesterov(theta: Any, grad: Function, lr: float = 0.001, rho: float = 0.9, momentum: float = 0.9,
                     delta: float = 1e-6) -> Steps:
    """Algorithm 8.6, with the delta of 8.5 (as printed: delta = 0, and 0/0 for a zero gradient).

    interim <- theta + alpha v
    g <- gradient at the interim point
    r <- rho r + (1 - rho) g*g
    v <- alpha v - lr g / sqrt(delta + r)
    theta <- theta + v
    """
    theta = [float(x) for x in theta]
    v, r = [0.0] * len(theta), [0.0] * len(theta)
    for k in count(1):
        epsilon = lr(k) if callable(lr) else lr
        alpha = momentum(k) if callable(momentum) else momentum
        interim = [theta[i] + alpha * v[i] for i in range(len(theta))]
        g = [float(x) for x in grad(interim)]
        for i in range(len(theta)):
            r[i] = rho * r[i] + (1 - rho) * g[i] * g[i]
            v[i] = alpha * v[i] - epsilon / sqrt(delta + r[i]) * g[i]
            theta[i] = theta[i] + v[i]
        yield {"interim": interim, "g": g, "r": r, "v": v, "theta": theta}


def adadelta(theta: Any, grad: Function, lr: float = 1.0, rho: float = 0.9, delta: float = 1e-6) -> Steps:
    """Zeiler 2012, algorithm 1.

    r <- rho r + (1 - rho) g*g
    d = sqrt(delta + u) / sqrt(delta + r) g
    u <- rho u + (1 - rho) d*d
    theta <- theta - lr d
    """
    x = [float(value) for value in theta]
    mean_g2, mean_d2 = [0.0] * len(x), [0.0] * len(x)
    for k in count(1):
        g = [float(value) for value in grad(x)]
        for i in range(len(x)):
            mean_g2[i] = rho * mean_g2[i] + (1 - rho) * g[i] * g[i]
            change = -sqrt(mean_d2[i] + delta) / sqrt(mean_g2[i] + delta) * g[i]
            mean_d2[i] = rho * mean_d2[i] + (1 - rho) * change * change
            x[i] += (lr(k) if callable(lr) else lr) * change
        yield {"g": g, "r": mean_g2, "u": mean_d2, "theta": x}


def adam(theta: Any, grad: Function, lr: float = 0.001, rho1: float = 0.9, rho2: float = 0.999,
         delta: float = 1e-8) -> Steps:
    """Algorithm 8.7.

    s <- rho1 s + (1 - rho1) g
    r <- rho2 r + (1 - rho2) g*g
    s_hat <- s / (1 - rho1^t)
    r_hat <- r / (1 - rho2^t)
    theta <- theta - lr s_hat / (sqrt(r_hat) + delta)
    """
    theta = [float(x) for x in theta]
    s = [0.0 for _ in theta]
    r = [0.0 for _ in theta]
    s_hat = [0.0 for _ in theta]
    r_hat = [0.0 for _ in theta]
    t = 0
    while True:
        g = [float(x) for x in grad(theta)]
        t = t + 1
        epsilon = lr(t) if callable(lr) else lr
        for i in range(len(theta)):
            s[i] = rho1 * s[i] + (1 - rho1) * g[i]
            r[i] = rho2 * r[i] + (1 - rho2) * g[i] * g[i]
            s_hat[i] = s[i] / (1 - rho1 ** t)
            r_hat[i] = r[i] / (1 - rho2 ** t)
            theta[i] = theta[i] - epsilon * s_hat[i] / (sqrt(r_hat[i]) + delta)
        yield {"g": g, "s": s, "r": r, "s_hat": s_hat, "r_hat": r_hat, "theta": theta}


def adamax(theta: Any, grad: Function, lr: float = 0.002, rho1: float = 0.9, rho2: float = 0.999) -> Steps:
    """Kingma and Ba 2015, algorithm 2; no step while u is 0.

    s <- rho1 s + (1 - rho1) g
    u <- max(rho2 u, |g|)
    theta <- theta - lr / (1 - rho1^t) s / u
    """
    theta = [float(x) for x in theta]
    m, u = [0.0] * len(theta), [0.0] * len(theta)
    for t in count(1):
        alpha = lr(t) if callable(lr) else lr
        g = [float(x) for x in grad(theta)]
        for i, d in enumerate(g):
            m[i] = rho1 * m[i] + (1 - rho1) * d
            u[i] = max(rho2 * u[i], abs(d))
            if u[i] > 0:
                theta[i] -= alpha / (1 - rho1 ** t) * m[i] / u[i]
        yield {"g": g, "s": m, "u": u, "theta": theta}


def adamw(theta: Any, grad: Function, lr: float = 0.001, weight_decay: float = 1e-5, eta: float = 1.0,
          rho1: float = 0.9, rho2: float = 0.999, delta: float = 1e-8) -> Steps:
    """Loshchilov and Hutter 2019, algorithm 2 (their alpha is lr, their lambda is weight_decay).

    s <- rho1 s + (1 - rho1) g
    r <- rho2 r + (1 - rho2) g*g
    s_hat <- s / (1 - rho1^t)
    r_hat <- r / (1 - rho2^t)
    theta <- theta - eta (lr s_hat / (sqrt(r_hat) + delta) + weight_decay theta)
    """
    x = [float(value) for value in theta]
    m, v = [0.0] * len(x), [0.0] * len(x)
    for t in count(1):
        alpha = lr(t) if callable(lr) else lr
        scale = eta(t) if callable(eta) else eta
        g = [float(value) for value in grad(x)]
        for i in range(len(x)):
            m[i] = rho1 * m[i] + (1 - rho1) * g[i]
            v[i] = rho2 * v[i] + (1 - rho2) * g[i] * g[i]
        m_hat, v_hat = [a / (1 - rho1 ** t) for a in m], [a / (1 - rho2 ** t) for a in v]
        for i in range(len(x)):
            x[i] = x[i] - scale * (alpha * m_hat[i] / (sqrt(v_hat[i]) + delta) + weight_decay * x[i])
        yield {"g": g, "s": m, "r": v, "s_hat": m_hat, "r_hat": v_hat, "theta": x}


def delta_bar_delta(theta: Any, grad: Function, lr: float, kappa: float = 0.001, phi: float = 0.1,
                    rho: float = 0.7) -> Steps:
    """Jacobs 1988 (his theta is rho).

    rate <- rate + kappa if d g > 0, rate (1 - phi) if d g < 0, d being the average before this g
    theta <- theta - rate g
    d <- (1 - rho) g + rho d
    """
    w = [float(x) for x in theta]
    rate = [lr(1) if callable(lr) else lr] * len(w)
    average = [0.0] * len(w)
    while True:
        g = [float(x) for x in grad(w)]
        for i in range(len(w)):
            if average[i] * g[i] > 0:
                rate[i] += kappa
            elif average[i] * g[i] < 0:
                rate[i] *= 1 - phi
            w[i] -= rate[i] * g[i]
            average[i] = (1 - rho) * g[i] + rho * average[i]
        yield {"g": g, "rate": rate, "theta": w, "d": average}


def rprop(theta: Any, grad: Function, lr: float = 0.1, up: float = 1.2, down: float = 0.5,
          smallest: float = 1e-6, largest: float = 50.0) -> Steps:
    """Riedmiller and Braun 1993, with the step back.

    rate <- min(up rate, largest) if g_before g > 0, max(down rate, smallest) if < 0
    v <- -sign(g) rate, or minus the last v where g_before g < 0
    theta <- theta + v
    g_before <- g, or 0 after a step back
    """
    w = [float(x) for x in theta]
    rate = [lr(1) if callable(lr) else lr] * len(w)
    before, step = [0.0] * len(w), [0.0] * len(w)
    while True:
        g = [float(x) for x in grad(w)]
        for i in range(len(w)):
            sign = (g[i] > 0) - (g[i] < 0)
            if before[i] * g[i] > 0:
                rate[i] = min(rate[i] * up, largest)
                step[i] = -sign * rate[i]
                before[i] = g[i]
            elif before[i] * g[i] < 0:
                rate[i] = max(rate[i] * down, smallest)
                step[i] = -step[i]
                before[i] = 0.0
            else:
                step[i] = -sign * rate[i]
                before[i] = g[i]
            w[i] += step[i]
        yield {"g": g, "rate": rate, "v": step, "theta": w, "g_before": before}


def rprop_minus(theta: Any, grad: Function, lr: float = 0.1, up: float = 1.2, down: float = 0.5,
                smallest: float = 1e-6, largest: float = 50.0) -> Steps:
    """iRprop- (Igel and Huesken 2000).

    rate <- min(up rate, largest) if g_before g > 0, max(down rate, smallest) if < 0
    g_before <- g, or 0 where g_before g < 0
    theta <- theta - sign(g_before) rate
    """
    w = [float(x) for x in theta]
    rate = [lr(1) if callable(lr) else lr] * len(w)
    before = [0.0] * len(w)
    while True:
        g = [float(x) for x in grad(w)]
        for i, d in enumerate(g):
            if before[i] * d > 0:
                rate[i] = min(rate[i] * up, largest)
            if before[i] * d < 0:
                rate[i] = max(rate[i] * down, smallest)
                d = 0.0
            if d > 0:
                w[i] -= rate[i]
            elif d < 0:
                w[i] += rate[i]
            before[i] = d
        yield {"g": g, "rate": rate, "g_before": before, "theta": w}


def vsgd(theta: Any, grad: Function, example_grads: Function, hessian_diagonal: Function,
         slow: float = 2.0, delta: float = 1.0) -> Steps:
    """Schaul, Zhang and LeCun 2013, vSGD-l, on batches of m examples, whose mean has a variance of (v_bar - g_bar^2)/m.

    g_bar <- (1 - 1/tau) g_bar + 1/tau g
    v_bar <- (1 - 1/tau) v_bar + 1/tau mean of the examples' g*g
    h_bar <- (1 - 1/tau) h_bar + 1/tau max(|h|, delta)
    tau <- (1 - g_bar^2 / (g_bar^2 + variance)) tau + 1, with the old tau in the lines above
    theta <- theta - g_bar^2 / (g_bar^2 + variance) / h_bar g
    """
    w = [float(x) for x in theta]
    g_bar = v_bar = h_bar = tau = None
    while True:
        g, each = [float(x) for x in grad(w)], example_grads(w)
        g2 = [sum(float(row[i]) ** 2 for row in each) / len(each) for i in range(len(w))]
        h = [max(abs(float(x)), delta) for x in hessian_diagonal(w)]
        if tau is None:
            g_bar, v_bar, h_bar, tau = list(g), [slow * x for x in g2], list(h), [2.0] * len(w)
        for i in range(len(w)):
            g_bar[i] = (1 - 1 / tau[i]) * g_bar[i] + 1 / tau[i] * g[i]
            v_bar[i] = (1 - 1 / tau[i]) * v_bar[i] + 1 / tau[i] * g2[i]
            h_bar[i] = (1 - 1 / tau[i]) * h_bar[i] + 1 / tau[i] * h[i]
            variance = (v_bar[i] - g_bar[i] ** 2) / len(each)
            if v_bar[i] > 0:
                share = g_bar[i] ** 2 / (g_bar[i] ** 2 + variance)
                tau[i] = (1 - share) * tau[i] + 1
                w[i] -= share / h_bar[i] * g[i]
            else:
                tau[i] = tau[i] + 1
        yield {"g": g, "g_bar": g_bar, "v_bar": v_bar, "h_bar": h_bar, "tau": tau, "theta": w}


def amsgrad(theta: Any, grad: Function, lr: float = 0.001, rho1: float = 0.9, rho2: float = 0.999,
            delta: float = 1e-8) -> Steps:
    """Reddi, Kale and Kumar 2018, with Adam's corrections and delta.

    s <- rho1 s + (1 - rho1) g
    r <- rho2 r + (1 - rho2) g*g
    highest <- max(highest, r)
    theta <- theta - lr s / (1 - rho1^t) / (sqrt(highest / (1 - rho2^t)) + delta)
    """
    w = [float(x) for x in theta]
    s, r, highest = [0.0] * len(w), [0.0] * len(w), [0.0] * len(w)
    for t in count(1):
        epsilon = lr(t) if callable(lr) else lr
        g = [float(x) for x in grad(w)]
        for i, d in enumerate(g):
            s[i] += (1 - rho1) * (d - s[i])
            r[i] += (1 - rho2) * (d * d - r[i])
            if r[i] > highest[i]:
                highest[i] = r[i]
            w[i] -= epsilon * (s[i] / (1 - rho1**t)) / (sqrt(highest[i] / (1 - rho2**t)) + delta)
        yield {"g": g, "s": s, "r": r, "highest": highest, "theta": w}


def nadam(theta: Any, grad: Function, lr: float = 0.001, rho1: float = 0.9, rho2: float = 0.999,
          delta: float = 1e-8, warming: float = 1 / 250) -> Steps:
    """Dozat 2016, with Adam's s.

    c <- m c, m = rho1 (1 - 0.96^(t warming) / 2), m' that of t + 1
    s <- rho1 s + (1 - rho1) g
    r <- rho2 r + (1 - rho2) g*g
    theta <- theta - lr (m' s / (1 - m' c) + (1 - m) g / (1 - c)) / (sqrt(r / (1 - rho2^t)) + delta)
    """
    w = [float(x) for x in theta]
    s, r, momenta = [0.0] * len(w), [0.0] * len(w), []
    for t in count(1):
        epsilon = lr(t) if callable(lr) else lr
        g = [float(x) for x in grad(w)]
        momenta.append(rho1 * (1 - 0.5 * 0.96 ** (t * warming)))
        following = rho1 * (1 - 0.5 * 0.96 ** ((t + 1) * warming))
        product = prod(momenta)
        for i, d in enumerate(g):
            s[i] = rho1 * s[i] + (1 - rho1) * d
            r[i] = rho2 * r[i] + (1 - rho2) * d * d
            ahead = following * s[i] / (1 - product * following) + (1 - momenta[-1]) * d / (1 - product)
            w[i] -= epsilon * ahead / (sqrt(r[i] / (1 - rho2**t)) + delta)
        yield {"g": g, "c": [product] * len(w), "s": s, "r": r, "theta": w}


def radam(theta: Any, grad: Function, lr: float = 0.001, rho1: float = 0.9, rho2: float = 0.999,
          delta: float = 1e-8, enough: float = 5.0) -> Steps:
    """Liu et al. 2020, algorithm 2; the paper: enough = 4.

    s <- rho1 s + (1 - rho1) g
    r <- rho2 r + (1 - rho2) g*g
    theta <- theta - lr c s^ / (sqrt(r^) + delta) if m_t > enough, theta - lr s^ if not
    """
    w = [float(x) for x in theta]
    s, r = [0.0] * len(w), [0.0] * len(w)
    longest = 2 / (1 - rho2) - 1
    for t in count(1):
        epsilon = lr(t) if callable(lr) else lr
        g = [float(x) for x in grad(w)]
        length = longest - 2 * t * rho2**t / (1 - rho2**t)
        for i, d in enumerate(g):
            s[i] = rho1 * s[i] + (1 - rho1) * d
            r[i] = rho2 * r[i] + (1 - rho2) * d * d
            if length > enough:
                c = sqrt((length - 4) / (longest - 4) * (length - 2) / (longest - 2) * longest / length)
                w[i] -= epsilon * c * s[i] / (1 - rho1**t) / (sqrt(r[i] / (1 - rho2**t)) + delta)
            else:
                w[i] -= epsilon * s[i] / (1 - rho1**t)
        yield {"g": g, "s": s, "r": r, "theta": w}


def lion(theta: Any, grad: Function, lr: float = 1e-4, rho1: float = 0.9, rho2: float = 0.99,
         weight_decay: float = 0.0) -> Steps:
    """Chen et al. 2023, algorithm 2.

    theta <- theta - lr (sign(rho1 s + (1 - rho1) g) + weight_decay theta)
    s <- rho2 s + (1 - rho2) g
    """
    w = [float(x) for x in theta]
    s = [0.0] * len(w)
    for k in count(1):
        epsilon = lr(k) if callable(lr) else lr
        g = [float(x) for x in grad(w)]
        for i, d in enumerate(g):
            c = rho1 * s[i] + (1 - rho1) * d
            w[i] -= epsilon * ((c > 0) - (c < 0) + weight_decay * w[i])
            if isnan(c):
                w[i] = c
        s = [rho2 * m + (1 - rho2) * d for m, d in zip(s, g)]
        yield {"g": g, "theta": w, "s": s}


def muon(theta: Any, grad: Function, lr: float = 0.001, rho1: float = 0.9, rho2: float = 0.999,
         delta: float = 1e-8, momentum: float = 0.95, shape: Any = None,
         weight_decay: float = 0.0) -> Steps:
    """Jordan et al. 2024 for one matrix of shape (rows, columns), row after row; shape None: a vector, Adam's s and r.

    s <- momentum s + (1 - momentum) g
    theta <- theta - lr (0.2 sqrt(max(rows, columns)) U + weight_decay theta), U from (1 - momentum) g + momentum s
    """
    if shape is None:
        yield from adam(theta, grad, lr, rho1, rho2, delta)
    w, (rows, columns) = [float(x) for x in theta], shape
    s = [0.0] * len(w)
    times = lambda A, B: [[sum(a * b for a, b in zip(row, column)) for column in zip(*B)] for row in A]
    for k in count(1):
        epsilon = lr(k) if callable(lr) else lr
        g = [float(x) for x in grad(w)]
        s = [momentum * m + (1 - momentum) * d for m, d in zip(s, g)]
        ahead = [momentum * m + (1 - momentum) * d for m, d in zip(s, g)]
        norm = sqrt(sum(x * x for x in ahead)) + delta
        X = [[x / norm for x in ahead[i * columns:(i + 1) * columns]] for i in range(rows)]
        for _ in range(5):
            third = times(X, times(list(zip(*X)), X))                           # X X' X
            fifth = times(third, times(list(zip(*X)), X))
            X = [[3.4445 * x - 4.7750 * y + 2.0315 * z for x, y, z in zip(*three)] for three in zip(X, third, fifth)]
        factor = 0.2 * sqrt(max(rows, columns))
        w = [x - epsilon * (factor * u + weight_decay * x) for x, u in zip(w, (u for row in X for u in row))]
        yield {"g": g, "s": s, "theta": w}


def sam(theta: Any, grad: Function, lr: float, momentum: float = 0.9, radius: float = 0.05) -> Steps:
    """Foret et al. 2021, algorithm 1, on algorithm 8.2.

    interim <- theta + radius g / |g|, with the gradient g at theta
    g <- gradient at the interim point
    v <- alpha v - lr g
    theta <- theta + v
    """
    w = [float(x) for x in theta]
    v = [0.0] * len(w)
    for k in count(1):
        epsilon = lr(k) if callable(lr) else lr
        first = [float(x) for x in grad(w)]
        norm = sqrt(sum(d * d for d in first))
        interim = [x + radius * d / norm if norm else x for x, d in zip(w, first)]
        g = [float(x) for x in grad(interim)]
        for i, d in enumerate(g):
            v[i] = momentum * v[i] - epsilon * d
            w[i] += v[i]
        yield {"interim": interim, "g": g, "v": v, "theta": w}


def schedule_free(theta: Any, grad: Function, lr: float, momentum: float = 0.9) -> Steps:
    """Defazio et al. 2024: x, y, z are lists of all points so far; theta is x, the weighted mean of z.

    interim <- y = (1 - momentum) z + momentum x
    g <- gradient at y
    theta <- the mean of z_1 ... z_t, each weighted by its lr^2, where z <- z - lr g
    v <- z - x
    """
    z = [float(value) for value in theta]
    x, points, weights = list(z), [], []
    for k in count(1):
        epsilon = lr(k) if callable(lr) else lr
        y = [(1 - momentum) * a + momentum * b for a, b in zip(z, x)]
        g = [float(value) for value in grad(y)]
        z = [a - epsilon * d for a, d in zip(z, g)]
        points.append(z)
        weights.append(epsilon * epsilon)
        if any(weights):
            x = [sum(w * p[i] for w, p in zip(weights, points)) / sum(weights) for i in range(len(z))]
        yield {"interim": y, "g": g, "theta": x, "v": [a - b for a, b in zip(z, x)],
               "w": [sum(weights) / k] * len(z)}


def polyak_mean(points: Any) -> Steps:
    """The mean of theta(1) ... theta(t), after every t (section 8.7.3)."""
    seen = []
    for theta in points:
        seen.append([float(x) for x in theta])
        yield [sum(point[i] for point in seen) / len(seen) for i in range(len(theta))]


def polyak_exponential(points: Any, alpha: float) -> Steps:
    """Equation 8.39, started at theta(1): average <- alpha average + (1 - alpha) theta."""
    average = None
    for theta in points:
        if average is None:
            average = [float(x) for x in theta]
        else:
            average = [alpha * a + (1 - alpha) * float(x) for a, x in zip(average, theta)]
        yield list(average)
