"""Many runs on any Executor: each is made once, what is done is kept, and nobody minds who runs them."""
import json
import operator
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from minigrad.compare.spread import name_of, process_pool, spread


def test_spread_keeps_the_order_and_makes_each_run_once(tmp_path):
    made = []

    def square(x, name):
        made.append(x)
        return x * x

    jobs = [{"name": "square", "x": x} for x in range(8)]
    for _ in range(2):
        with ThreadPoolExecutor(3) as executor:
            assert spread(square, jobs, tmp_path, executor) == [x * x for x in range(8)]
    assert sorted(made) == list(range(8))


def test_spread_keeps_what_was_done_when_a_job_fails(tmp_path):
    def fails_at_5(x):
        if x == 5:
            raise ArithmeticError("5")
        return x

    with ThreadPoolExecutor(1) as executor, pytest.raises(ArithmeticError):
        spread(fails_at_5, [{"x": x} for x in range(8)], tmp_path, executor)
    kept = [json.loads(path.read_text())["result"] for path in tmp_path.iterdir()]
    assert set(kept) >= {0, 1, 2, 3} and 5 not in kept


def test_what_was_not_begun_when_a_job_fails_is_called_off(tmp_path):
    begun, over = [], threading.Event()

    def job(x):
        if x == 0:
            raise ArithmeticError("0")
        begun.append(x)
        over.wait(30)

    with ThreadPoolExecutor(1) as executor:
        with pytest.raises(ArithmeticError):
            spread(job, [{"x": x} for x in range(8)], tmp_path, executor)
        over.set()
    assert begun in ([], [1])                                   # that one may have begun before the news came


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"job": {"x": 2}, "result": 1}', '{"result": 1}', "\x00"])
def test_spread_refuses_a_file_that_is_not_its_own(tmp_path, text):
    job = {"x": 1}
    path = tmp_path / f"{name_of(job)}.json"
    path.write_text(text)
    with ThreadPoolExecutor(1) as executor, pytest.raises(ValueError, match="delete it"):
        spread(abs, [job], tmp_path, executor)
    assert path.read_text() == text


def power(base, exponent):
    return {"value": operator.pow(base, exponent)}


JOBS = [{"base": base, "exponent": 3} for base in range(6)]
CUBES = [{"value": base**3} for base in range(6)]


def test_processes_and_threads_give_the_same(tmp_path):
    for name, pool in (("processes", process_pool(2)), ("threads", ThreadPoolExecutor(2))):
        with pool:
            assert spread(power, JOBS, tmp_path / name, pool) == CUBES
    kept = [{path.name: path.read_text() for path in (tmp_path / name).iterdir()} for name in ("processes", "threads")]
    assert kept[0] == kept[1]


@pytest.mark.filterwarnings("default")              # what Dask warns of is not ours
def test_dasks_executor_serves(tmp_path):
    distributed = pytest.importorskip("distributed")
    with distributed.Client(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None) as client:
        for _ in range(2):                          # the second time all is there
            assert spread(power, JOBS, tmp_path, client.get_executor()) == CUBES


def test_files_are_named_by_what_the_job_is(tmp_path):
    job = {"task": "mlp", "method": "mine.py:Mine", "value": 0.1}
    assert name_of(job).startswith("mlp-mine.py") and name_of(job) != name_of(job | {"value": 0.2})
    own = {"task": "mlp", "method": str(tmp_path / "my folder" / "mine.py:Mine")}
    with ThreadPoolExecutor(1) as executor:
        assert spread(lambda **job: {"made": job["task"]}, [own], tmp_path / "kept", executor) == [{"made": "mlp"}]
    assert len(list((tmp_path / "kept").iterdir())) == 1
