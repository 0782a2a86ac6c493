"""save and load of a model: to the bit, from a checkpoint too, all or nothing."""
import numpy as np
import pytest

from minigrad import files, losses, nn, optim, training


def net(hidden=5, dtype=np.float32, seed=0):
    rng = np.random.default_rng(seed)
    model = nn.Sequential(nn.Linear(4, hidden, rng=rng, dtype=dtype), nn.BatchNorm(hidden, dtype=dtype), nn.ReLU(),
                          nn.Linear(hidden, 3, rng=rng, dtype=dtype))
    model[1].running_mean = rng.normal(size=hidden).astype(dtype)
    return model


def bits(model):
    return {name: array.tobytes() for name, array in model.state_dict().items()}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_model_comes_back_to_the_bit(dtype, tmp_path):
    model = net(dtype=dtype)
    model[0].w.data = np.array([[np.nan, -0.0, np.inf, 1e-45, 1]] * 4, dtype)
    files.save(tmp_path / "a", model)
    other = net(dtype=dtype, seed=1)
    theta = other.parameters()
    assert files.load(tmp_path / "a", other) is other and bits(other) == bits(model)
    assert theta.theta.tobytes() == model.parameters().theta.tobytes()            # the live vector of an optimizer


def test_the_model_of_a_checkpoint(tmp_path):
    model, rng = net(), np.random.default_rng(0)
    x, y = rng.normal(size=(20, 4)).astype(np.float32), rng.integers(0, 3, size=20)
    optimizer = optim.Nesterov(model.parameters(), lr=0.1)
    training.fit(model, losses.cross_entropy, optimizer, [(x, y)], epochs=3, progress=False,
                 callbacks=[training.Checkpoint(tmp_path / "run")])
    with optimizer.at_theta():
        assert bits(files.load(tmp_path / "run", net(seed=2))) == bits(model)


def test_one_error_for_all_mismatches_and_nothing_changed(tmp_path):
    files.save(tmp_path / "a", net(hidden=6))
    model = net()
    before = bits(model)
    with pytest.raises(ValueError, match=r"0\.w is float32 \(4, 6\), wanted float32 \(4, 5\); .*3\.w .*1\.running_var"):
        files.load(tmp_path / "a", model)
    files.save(tmp_path / "b", nn.Sequential(nn.Linear(4, 5), nn.Linear(5, 2)))
    with pytest.raises(ValueError, match=r"1\.gamma is missing; .*running_var is missing; 1\.w is not in the model"):
        files.load(tmp_path / "b", model)
    (tmp_path / "c").write_bytes((tmp_path / "a").read_bytes()[:-1])
    with pytest.raises(files.FormatError):
        files.load(tmp_path / "c", model)
    files.save_tensors(tmp_path / "d", model.state_dict())
    data = (tmp_path / "d").read_bytes()
    (tmp_path / "d").write_bytes(data[:-3] + bytes([data[-3] ^ 1]) + data[-2:])
    with pytest.raises(files.FormatError, match="sha256"):
        files.load(tmp_path / "d", model)
    assert bits(model) == before


def test_a_file_of_another_program_is_refused_with_the_way_to_read_it(tmp_path):
    st = pytest.importorskip("safetensors.numpy")
    model, other = net(), net(seed=1)
    st.save_file(model.state_dict(), tmp_path / "theirs")
    before = bits(other)
    with pytest.raises(files.FormatError, match=r"files\.load_tensors\(path\) reads a file of another"):
        files.load(tmp_path / "theirs", other)
    assert bits(other) == before
    other.load_state_dict(files.load_tensors(tmp_path / "theirs")[0])
    assert bits(other) == bits(model)
