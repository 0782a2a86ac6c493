"""What other libraries call layers, and methods of modules: the AttributeError says what does the work here."""
from typing import Never

from minigrad.nn.module import Module
from minigrad.ops import other_names

_WEIGHTS = "a layer's weights are w and b, those of a normalization gamma and beta, of an Embedding table"
_MOVE = "there is one device, the processor"
_CAST = "model.astype(np.float64), model.astype(np.float32)"
_HOOK = "with nn.observe(f): model(x) calls f(module, inputs, output) after every module"
ATTRIBUTES = {                            # of a Module
    "weight": _WEIGHTS, "bias": _WEIGHTS, "to": f"{_MOVE}; {_CAST} convert", "cuda": _MOVE, "cpu": _MOVE,
    "double": _CAST, "float": _CAST, "named_modules": "model.modules() yields (path, module)",
    "named_children": "model.children() yields (name, module)",
    "apply": "for _, module in model.modules(): ...", "requires_grad_": "model.freeze(), model.unfreeze()",
    "register_buffer": 'buffers = ("name",) in the class, and self.name = array',
    "register_parameter": "self.name = nn.Parameter(array)", "add_module": "self.name = module",
    "register_forward_hook": _HOOK,
}
_BATCH, _INSTANCE = "BatchNorm, over all axes but the last", "InstanceNorm, of images (n, h, w, c)"
_LIST = "a list, tuple or dict, as an attribute of a module"
LAYERS = {                                # of minigrad.nn
    "LSTM": "Recurrent(LSTMCell(inputs, units))", "GRU": "Recurrent(GRUCell(inputs, units))",
    "RNN": "Recurrent(RNNCell(inputs, units))", "BatchNorm1d": _BATCH, "BatchNorm2d": _BATCH,
    "InstanceNorm2d": _INSTANCE, "ModuleList": _LIST, "ModuleDict": _LIST, "ParameterList": _LIST,
    "functional": "minigrad.ops and minigrad.losses", "init": "minigrad.init",
    "utils": "minigrad.optim.clip_grad_norm, minigrad.optim.clip_grad_value",
    "CrossEntropyLoss": "minigrad.losses.cross_entropy", "MSELoss": "minigrad.losses.mean_squared_error",
    "L1Loss": "minigrad.losses.absolute_error", "HuberLoss": "minigrad.losses.huber",
    "SmoothL1Loss": "minigrad.losses.huber", "BCEWithLogitsLoss": "minigrad.losses.binary_cross_entropy",
    "BCELoss": "minigrad.losses.bernoulli_nll", "NLLLoss": "minigrad.losses.categorical_nll",
    "KLDivLoss": "minigrad.losses.kl_divergence",
}

other_names.attach(Module, ATTRIBUTES)


def missing_layer(name: str) -> Never:
    """`__getattr__` of minigrad.nn."""
    instead = LAYERS.get(name)
    raise AttributeError(f"minigrad.nn has no {name!r}" + (f": {instead}" if instead else ""))
