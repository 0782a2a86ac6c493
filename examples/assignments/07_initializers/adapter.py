"""What the grader calls, and what of yours it gets. Wrote it elsewhere, or under other names? Change the right sides.

    fans(shape)                          (fan_in, fan_out)
    glorot_uniform(shape, rng=)          an array of that shape; rng: an int
    orthogonal(shape, gain=, rng=)
    sparse(shape, k=, std=, rng=)
    softmax_bias(targets, classes)       labels (m,) -> (classes,)
    sigmoid_bias(targets)                (m, d) in [0, 1] -> (d,)
"""
import initializers as mine

fans = mine.fans
glorot_uniform = mine.glorot_uniform
orthogonal = mine.orthogonal
sparse = mine.sparse
softmax_bias = mine.softmax_bias
sigmoid_bias = mine.sigmoid_bias
