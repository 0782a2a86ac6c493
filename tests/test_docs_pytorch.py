"""docs/pytorch.md: the script trains, and every minigrad expression in the tables can be evaluated."""
import re
from pathlib import Path

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor, data, losses, nn, ops, training

PAGE = (Path(__file__).parents[1] / "docs" / "pytorch.md").read_text()
CELLS = [line.strip("|").split(" | ")[1] for line in PAGE.splitlines() if line.startswith("| `")]
EXPRESSIONS = [expression for cell in CELLS for expression in re.findall(r"`([^`]+)`", cell)]


def test_the_script_learns(capsys):
    script = re.search(r"```python\n(.*?)```", PAGE, re.S)[1]
    names = {"training": training}
    exec(script, names)
    assert float(capsys.readouterr().out) > 0.8
    for line in re.findall(r"`(training\.[^`]*)`", PAGE):
        eval(line.replace("epochs=2", "epochs=1, progress=False"), names)


def test_the_tables_are_found():
    assert len(EXPRESSIONS) > 40


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_of_the_tables_can_be_evaluated(expression, tmp_path):
    model = nn.Linear(4, 3)
    path = str(tmp_path / "model.safetensors")
    mg.save(path, model)
    t = Tensor(np.arange(6, dtype=np.float32).reshape(2, 3), requires_grad=True)
    names = dict(mg=mg, np=np, nn=nn, ops=ops, losses=losses, data=data, training=training, Tensor=Tensor, t=t,
                 model=model, path=path, x=np.zeros((200, 4), np.float32), y=np.zeros(200, int))
    threads = mg.get_num_threads()
    try:
        eval(expression, names)
    finally:
        mg.set_num_threads(threads)
