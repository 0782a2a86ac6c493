"""Where the grader finds your work. Designed it otherwise? Change the right-hand sides, not the names.

    conv2d(x, w, windows, size)                    y (n, *size, o)
    conv2d_x(g, w, windows, size)                  dx (n, *size, c)
    conv2d_w(x, g, windows, size)                  dw (*size, c, o)
    bias_gradient(g)                               db (o,)
    conv2d_x_backward(u, g, w, windows)            dg, dw
    conv2d_w_backward(u, x, g, windows)            dx, dg
"""
import convolution as mine

conv2d = mine.conv2d
conv2d_x = mine.conv2d_x
conv2d_w = mine.conv2d_w
bias_gradient = mine.bias_gradient
conv2d_x_backward = mine.conv2d_x_backward
conv2d_w_backward = mine.conv2d_w_backward
