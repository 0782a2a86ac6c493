"""The laboratory: a page in which minigrad itself runs, in the browser, on Pyodide."""


def write(root, pages):
    (pages / "lab.md").write_text("# The laboratory\n\nsoon\n")
