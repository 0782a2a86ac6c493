"""Compiled kernels of minigrad: buffers in, buffers out. See `minigrad.kernels` for what each one means."""
