"""The computational graph drawn: as a table of text, as Graphviz source, as a picture if Graphviz is installed.

    print(graph.draw(loss))                     one line per op, in the order in which they were computed
    graph.draw(loss, "loss.png")                the same, and a picture (also .svg, .pdf; .dot: the source)
"""
from minigrad.graph.drawing import dot, draw

__all__ = ["dot", "draw"]
