"""minigrad: automatic differentiation, layers and every optimizer of one textbook chapter, on compiled kernels."""
__version__ = "0.1.0"
