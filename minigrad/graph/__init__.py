"""The computational graph drawn: as a table of text, as Graphviz source, as a picture if Graphviz is installed; and
backward through it, one op at a time, with its numbers.

    print(graph.draw(loss))                     one line per op, in the order in which they were computed
    graph.draw(loss, "loss.png")                the same, and a picture (also .svg, .pdf; .dot: the source)
    print(graph.draw(loss, step=3))             the third step of backward: what arrives, by which rule, what is given
    graph.draw(loss, "backward.html")           a page for the browser: backward step by step, by arrow keys
"""
from minigrad.graph.drawing import dot, draw
from minigrad.graph.backward import Step, steps
from minigrad.graph.page import page

__all__ = ["Step", "dot", "draw", "page", "steps"]
