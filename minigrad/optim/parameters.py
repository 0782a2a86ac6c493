"""What may be optimized: a plain vector, or an object that cuts one into named slices, as `model.parameters()` does."""
import numpy as np


class Plain:
    """A plain (n,) array as optimizers see parameters: one slice, no gradient of its own (that comes from J)."""
    g = None
    unwritten = frozenset()

    def __init__(self, theta):
        self.theta = theta
        self.slices = {"theta": slice(0, len(theta))}

    def zero_grad(self):
        pass

    def changed(self):
        pass


def as_parameters(params, who):
    """`params` itself if it has theta, g and slices; a float array (n,) wrapped. ValueError for anything else."""
    if isinstance(params, np.ndarray):
        if params.dtype not in (np.float32, np.float64):
            raise ValueError(f"{who}: theta must be float32 or float64, got {params.dtype}: "
                             f"theta.astype(float) makes a copy that can move")
        if params.ndim != 1:
            raise ValueError(f"{who}: theta must have shape (n,), got {params.shape}: pass theta.reshape(-1), a view")
        if not params.flags.c_contiguous or not params.flags.writeable:
            raise ValueError(f"{who}: theta must be contiguous and writable: it is updated in place")
        params = Plain(params)
    elif not all(hasattr(params, name) for name in ("theta", "g", "slices")):
        advice = ": pass model.parameters()" if hasattr(params, "parameters") else ""
        raise ValueError(f"{who}: the parameters must be a float array (n,) or model.parameters(), "
                         f"got {type(params).__name__}{advice}")
    if len(params.theta) == 0:
        raise ValueError(f"{who}: there are no parameters (n = 0): what is learned must be an nn.Parameter")
    if params.theta.dtype not in (np.float32, np.float64):
        raise ValueError(f"{who}: theta must be float32 or float64, got {params.theta.dtype}")
    at = 0
    for name, part in params.slices.items():
        if part.start != at:
            raise ValueError(f"{who}: {name} starts at {part.start}, wanted {at}: a parameter is repeated or missing")
        at = part.stop
    if at != len(params.theta):
        raise ValueError(f"{who}: the slices cover {at} elements of {len(params.theta)}")
    return params


