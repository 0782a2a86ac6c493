"""What beginners do, and the sentence that should help them on: the message names the next step."""
import re

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor, losses, nn, optim

x = np.ones((5, 4), np.float32)
labels = np.array([0, 1, 2, 0, 1])


def step_with_the_loss():
    model = nn.Linear(4, 3, rng=0)
    opt = optim.SGD(model.parameters(), lr=0.1)
    loss = losses.cross_entropy(model(Tensor(x)), labels)
    loss.backward()
    opt.step(loss)


class Arrays(nn.Module):
    def __init__(self):
        self.w = np.zeros((4, 3), np.float32)


class Tensors(nn.Module):
    def __init__(self):
        self.w = Tensor(np.ones(3), requires_grad=True)


MISTAKES = {
    "a class among the layers": (lambda: nn.Sequential(nn.Linear(4, 3), nn.ReLU),
                                 "Sequential: layer 1 is the class ReLU, wanted one of its objects: ReLU(...)"),
    "step(loss)": (step_with_the_loss, "SGD.step: got a Tensor: after its backward() call step() without it"),
    "a Tensor that should be learned": (lambda: optim.SGD(Tensors().parameters(), lr=0.1),
                                        "would not be learned: make it an nn.Parameter"),
    "an array that should be learned": (lambda: optim.SGD(Arrays().parameters(), lr=0.1),
                                        "there are no parameters (n = 0): what is learned must be an nn.Parameter"),
    "save(model, path)": (lambda: mg.save(nn.Linear(4, 3), "model.safetensors"),
                          "save: wanted save(path, model), the model with state_dict(), got Linear and str"),
    "save(path, state)": (lambda: mg.save("model.safetensors", nn.Linear(4, 3).state_dict()),
                          "save: wanted save(path, model), the model with state_dict(), got str and dict"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_the_message_helps(name):
    do, message = MISTAKES[name]
    with pytest.raises(ValueError, match=re.escape(message)):
        do()
