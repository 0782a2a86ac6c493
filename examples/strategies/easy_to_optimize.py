"""Models designed to be easy to optimize (8.7.5): skip connections, highway gates, auxiliary heads, and a jagged unit.

What it shows: a deep, narrow network of tanh units with the usual first weights, U(-1/sqrt(m), 1/sqrt(m)): plain, with
skip connections, with highway gates, with auxiliary heads (thrown away afterwards). And the same with orthogonal
weights, of tanh units and of units that go up and down in a zigzag. First what reaches layer 1 at the start: the norm
of the gradient in every layer, and the singular values of the Jacobian of the last hidden layer with respect to the
first. Then how well each learns digits, with the best of three rates, over three seeds.
What to look at: the plain net's gradient and singular values, which shrink with every layer, while the shortcuts keep
both; the heads, which keep the gradient large though the Jacobian is the plain one. The zigzag has slope 1 or -1
everywhere: with orthogonal weights all its singular values are 1, nothing can pass better. Yet it hardly learns, where
tanh with the same weights does: the slope here says nothing about where to go from here.
Try: DEPTH = 5, where the plain net learns too, or 30, where heads do not help. PERIOD = 20, almost a straight line.

Run: python examples/strategies/easy_to_optimize.py [--quick] [--out DIR]
"""

import numpy as np

from minigrad import Tensor, data, init, losses, nn, ops, optim, training
from minigrad.core import grad
from minigrad.derivatives import jacobian
from minigrad.figures.page import Page

DEPTH, WIDTH, EXAMPLES, EPOCHS, SEEDS, PERIOD = 15, 32, 5000, 6, 3, 1.0
RATES, EVERY = (0.01, 0.03, 0.1), 3                       # a head after every 3 blocks
COLORS = {"plain": "#000000", "skip connections": "#0072B2", "highway gates": "#009E73", "auxiliary heads": "#E69F00",
          "orthogonal, tanh": "#CC79A7", "orthogonal, zigzag": "#D55E00"}


def zigzag(h):
    """|h - the nearest multiple of the period|, minus its mean: up and down with slope 1. Any shape -> same shape."""
    return ops.abs(h - PERIOD * np.round(h.data / PERIOD)) - PERIOD / 4


def layer(rng, weights, unit):
    return nn.Sequential(nn.Linear(WIDTH, WIDTH, weights=weights, rng=rng), unit)


def build(kind, seed, depth):
    """784 -> WIDTH -> depth blocks -> 10. Blocks of the same kind of weights have the same numbers."""
    rng = np.random.default_rng(seed)
    first, last = nn.Linear(784, WIDTH, rng=rng), nn.Linear(WIDTH, 10, rng=rng)
    weights = init.orthogonal if kind.startswith("orthogonal") else init.fan_in_uniform
    blocks = [layer(rng, weights, zigzag if kind.endswith("zigzag") else nn.Tanh()) for _ in range(depth)]
    if kind == "skip connections":
        blocks = [nn.Residual(block) for block in blocks]
    if kind == "highway gates":
        blocks = [nn.Highway(block, WIDTH, rng=rng) for block in blocks]
    if kind != "auxiliary heads":
        return nn.Sequential(first, *blocks, last)
    model = last
    for i in range(depth, 0, -EVERY):                     # from the top down: what is there already is `above`
        model = nn.Sequential(*blocks[max(i - EVERY, 0):i], *(model.layers if i < depth else [model]))
        if i > EVERY:
            model = nn.Sequential(nn.AuxiliaryHead(model, nn.Linear(WIDTH, 10, rng=rng)))
    return nn.Sequential(first, *model.layers)


def loss_of(kind):
    return nn.auxiliary_loss(losses.cross_entropy) if kind == "auxiliary heads" else losses.cross_entropy


def at_the_start(kind, depth, x, y):
    """(norms of the gradients of W in layers 1, 2, ..., singular values of d h_last / d h_1), of one digit."""
    model = build(kind, 0, depth)
    weights = [p for name, p in model.named_parameters() if p.shape == (WIDTH, WIDTH) and ".gate." not in name]
    norms = [np.linalg.norm(g.data) for g in grad(loss_of(kind)(model(Tensor(x)), y), weights)]
    blocks = build("plain" if kind == "auxiliary heads" else kind, 0, depth)[1:-1]
    h = model[0](Tensor(x[:1])).data
    J = jacobian(blocks, h)                               # (1, WIDTH, 1, WIDTH)
    return norms, np.linalg.svd(J.data.reshape(WIDTH, WIDTH), compute_uv=False)


def learn(kind, lr, seed, depth, train, test, epochs):
    """Training loss and test error."""
    model = build(kind, seed, depth)
    optimizer = optim.Momentum(model.parameters(), lr=lr, momentum=0.9)
    try:
        training.fit(model, loss_of(kind), optimizer, data.batches(*train, batch_size=100, rng=seed), epochs=epochs,
                     callbacks=[training.ClipGradient(5.0)], progress=False)
    except optim.NonFiniteError:
        return np.inf, 1.0
    return (training.evaluate(model, losses.cross_entropy, *train).loss,
            training.evaluate(model, losses.cross_entropy, *test).error)


def best_rate(kind, depth, train, test, epochs, seeds):
    """(rate, (seeds, 2) of training loss and test error): the rate of the least mean training loss."""
    found = {lr: np.array([learn(kind, lr, seed, depth, train, test, epochs) for seed in range(seeds)]) for lr in RATES}
    lr = min(found, key=lambda lr: found[lr][:, 0].mean())
    return lr, found[lr]


def picture(figure, start, learned):
    left, middle, right = figure.subplots(1, 3, width_ratios=(1, 1, 1.3))
    for kind, (norms, singular) in start.items():
        style = "--" if kind == "auxiliary heads" else "-"
        left.semilogy(np.arange(1, len(norms) + 1), norms, color=COLORS[kind], label=kind, linewidth=1.8)
        middle.semilogy(np.arange(1, len(singular) + 1), np.maximum(singular, 1e-12), style, color=COLORS[kind],
                        linewidth=1.8)
    left.set(xlabel="layer (1 is next to the input)", ylabel="norm of the gradient of W", title="gradient at the start")
    left.legend(fontsize=9, loc="lower center")
    left.set_ylim(1e-8, None)
    middle.set(xlabel="singular values, from the largest", title="Jacobian from first to last hidden layer")
    for axes in (left, middle):
        axes.grid(alpha=0.3)
    for i, (_, found) in enumerate(learned.values()):
        errors = 100 * found[:, 1]
        right.bar(i, errors.mean(), color=list(COLORS.values())[i], width=0.7, alpha=0.85)
        right.plot(np.full(len(errors), i), errors, "o", color="white", markeredgecolor="black", markersize=5)
        right.annotate(f"{errors.mean():.1f} %", (i, errors.max()), (0, 7), textcoords="offset points", ha="center")
    right.set_xticks(range(len(learned)), [kind.replace(" ", "\n") for kind in learned], fontsize=8)
    right.set(ylabel="test error, %", ylim=(0, 100), title="after learning (points: seeds)")


def main(argv=None):
    page = Page(__doc__, argv)
    m, epochs, seeds = (500, 1, 1) if page.quick else (EXAMPLES, EPOCHS, SEEDS)
    (x, y), test = data.mnist(flat=True)
    train, test = (x[:m], y[:m]), (test[0][:2000], test[1][:2000])
    start = {kind: at_the_start(kind, DEPTH, x[:100], y[:100]) for kind in COLORS}
    print(f"{DEPTH} hidden layers of {WIDTH} units, {m} digits, {epochs} epochs, {seeds} seeds")
    print("                      |dJ/dW| in layer 1    singular values      lr    training loss       test error")
    learned = {}
    for kind, (norms, singular) in start.items():
        learned[kind] = lr, found = best_rate(kind, DEPTH, train, test, epochs, seeds)
        loss, error = found.mean(axis=0)
        print(f"{kind:22}{norms[0]:18.1e}{singular[0]:12.1e} to {singular[-1]:7.1e}{lr:8g}"
              f"{loss:8.3f} +- {found[:, 0].std():.3f}{100 * error:8.1f} +- {100 * found[:, 1].std():.1f} %")
    page.draw("easy_to_optimize", picture, start, learned, size=(13, 4.6))


if __name__ == "__main__":
    main()
