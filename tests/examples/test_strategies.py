"""The examples of 8.7 and of weight space symmetry run with --quick, print what their text says, and write a PNG."""
import math
import re
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")
ROOT = Path(__file__).parents[2]


def test_coordinate_descent(quick):
    said = quick("strategies/coordinate_descent.py")
    valley = re.findall(r"^ *(\S+) +(0\.\d{8}) +(0\.\d{8}) +(\d+) +1$", said, re.MULTILINE)
    assert [row[0] for row in valley] == ["1.0", "0.1", "0.01"] and all(row[1] == row[2] for row in valley)
    assert [int(row[3]) for row in valley] == [11, 71, 670]
    ours, same, longer = (float(J) for J in re.findall(r"(\d+\.\d+) \+-", said))
    assert ours < longer < same and "never climbed" in said


def test_a_valley_too_long_for_the_sweeps_is_said(monkeypatch, capsys):
    """What its text asks to try, alpha = 0.001, takes more sweeps than it once made, and 0 were printed."""
    monkeypatch.syspath_prepend(ROOT / "examples" / "strategies")
    import coordinate_descent
    monkeypatch.setattr(coordinate_descent, "ALPHAS", (1.0, 0.001))
    coordinate_descent.valley(sweeps=50)
    first, second = capsys.readouterr().out.splitlines()[1:]
    assert first.split()[3] == "11" and "> 50 " in second


def test_weight_space_symmetry(quick):
    said = quick("weight_space_symmetry.py")
    least = float(re.search(r"J = (\S+),", said)[1])
    rows = {name: [float(number) for number in numbers.split()]
            for name, numbers in re.findall(r"^(units permuted|units times 4|another run) +(.*)$", said, re.MULTILINE)}
    assert all(rows[name][3] < 1e-12 for name in ("units permuted", "units times 4")) and rows["another run"][3] > 0.1
    assert all(row[0] > 1 and row[1] > 1.3 * least for row in rows.values())


def test_continuation(quick):
    said = quick("strategies/continuation.py")
    above = {name: float(value) for name, value in re.findall(r"^(\S.*?)  +(\d+\.\d+) \+-", said, re.MULTILINE)}
    assert above["4 blurred functions"] < 1 < above["1 blurred function"] < above["descent alone"]
    assert above["8, by 10 samples"] < above["descent alone"] and "simulated annealing" in above
    assert "its gradient [-0.6  2. ], without: [-0.6  2. ]" in said


def test_easy_to_optimize(quick):
    said = quick("strategies/easy_to_optimize.py")
    rows = {name: (float(g), float(largest), float(least)) for name, g, largest, least in
            re.findall(r"^(\S.*?)  +(\d\S+e\S+) +(\S+) to +(\S+?e[+-]\d\d)", said, re.MULTILINE)}
    plain = rows.pop("plain")
    assert len(rows) == 5 and all(g > 20 * plain[0] for g, *_ in rows.values())
    assert rows.pop("auxiliary heads")[1:] == plain[1:] and all(least > 1e6 * plain[2] for *_, least in rows.values())
    assert rows["orthogonal, zigzag"][1:] == (1, 1)


def test_greedy_pretraining(quick):
    said = quick("strategies/greedy_pretraining.py")
    errors = {name: float(error) for name, error in re.findall(r"^(\S.*?)  +[\d.]+ \+- [\d.]+ +([\d.]+) \+-", said,
                                                               re.MULTILINE)}
    assert errors["random start, tanh"] < 25 and {"random start", "greedy supervised", "autoencoders"} < errors.keys()
    assert "after denoising 500 unlabelled digits" in said


def test_ensemble(quick):
    said = quick("strategies/ensemble.py")
    for name in ("snapshots of one run", "independent models"):
        together, alone, logits, loss, losses, differ = (
            float(number) for number in re.search(
                rf"^5 {name} +([\d.]+) \+- [\d.]+ % +([\d.]+) % +([\d.]+) % +([\d.]+) +([\d.]+) +([\d.]+) %", said,
                re.MULTILINE).groups())
        assert together < alone and loss < losses and differ > 1 and abs(together - logits) < 1


def test_curriculum(quick):
    said = quick("strategies/curriculum.py")
    rows = re.findall(r"^(\S.*?)  +([\d.]+) \+- [\d.]+ +[\d.]+ \+-", said, re.MULTILINE)
    assert len(rows) == 10
    noisy = {name: float(loss) for name, loss in rows[:5]}
    assert noisy["plain curriculum"] < noisy["difficult first"]


def test_transfer(quick):
    said = quick("strategies/transfer.py")
    rows = {name: [float(error) for error in re.findall(r"([\d.]+) \+-", rest)]
            for name, rest in re.findall(r"^(\S.*?)  +(.*\+-.*)$", said, re.MULTILINE)}
    assert len(rows) == 5 and all(len(row) == 4 for row in rows.values())
    assert rows["last layer only"][3] > rows["last layer only"][1]                  # a frozen top knows strokes only


def test_fitnets(quick):
    said = quick("strategies/fitnets.py")
    rows = re.findall(r"^(\S.*?)  +([\d,]+) +[\d.]+ \+-", said, re.MULTILINE)
    n = {name: int(parameters.replace(",", "")) for name, parameters in rows}
    assert len(n) == 5 and n["student alone"] == n["student with hints"] < n["teacher"] / 7


def test_batch_norm_chain(quick):
    """Terms by order in closed form, y C(l, k) (-0.1 / (l y))^k for equal weights; a flipped sign, a weight of 0."""
    said = quick("batch_norm_chain.py")
    rows = [line.split()[:-1] for line in said.splitlines() if line.endswith("0.1/g'g")]
    assert len(rows) == 9
    for weight, layers, _, _, *terms, change in rows:
        layers, y = int(layers), float(weight) ** int(layers)
        wanted = [y * math.comb(layers, k) * (-0.1 / (layers * y)) ** k for k in range(1, layers + 1)]
        assert [float(term) for term in terms] == pytest.approx([*wanted[:3], sum(wanted[3:])], rel=0.06)
        assert float(change) == pytest.approx(y * (1 - 0.1 / (layers * y)) ** layers - y, rel=0.06)
    assert re.search(r"^sign flipped +1\.100 +-1\.000$", said, re.MULTILINE)
    assert re.search(r"^set to 0 +0\.000 +nan$", said, re.MULTILINE)
    learned = said.split("change of log std per step")[1].splitlines()[1:5]
    proposed = [float(line.split()[-2]) for line in learned]
    assert proposed[3] < 1e-6 < min(proposed[:3])
