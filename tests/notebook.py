"""Runs a notebook from top to bottom, as a kernel does: `python -m tests.notebook FROM TO` writes it with its outputs.

For notebooks whose cells are plain Python: no magics. A cell's outputs are what it printed, the value of its last
expression, and its figures. FROM and TO may be one file.
"""

import ast
import base64
import contextlib
import io
import json
import sys
from pathlib import Path


def lines(text):
    """As a notebook keeps a text."""
    return text.splitlines(keepends=True)


def run_cell(source, namespace):
    """The value of the cell's last expression; None where it ends otherwise."""
    tree = ast.parse(source)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "<cell>", "exec"), namespace)  # noqa: S102 the notebook's own code
    return last and eval(compile(ast.Expression(last.value), "<cell>", "eval"), namespace)  # noqa: S307 likewise


def figures():
    """Each open figure as a PNG in base64; they are closed, as Jupyter does at the end of a cell."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    for number in pyplot.get_fignums() if pyplot else ():
        picture = io.BytesIO()
        pyplot.figure(number).savefig(picture, format="png", metadata={"Software": None})
        pyplot.close(number)
        yield base64.b64encode(picture.getvalue()).decode("ascii") + "\n"


def execute(cells):
    """Run the code cells in one namespace, and give each its outputs."""
    namespace = {"__name__": "__main__"}
    for number, cell in enumerate((cell for cell in cells if cell["cell_type"] == "code"), start=1):
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            value = run_cell("".join(cell["source"]), namespace)
        cell["execution_count"], cell["outputs"] = number, []
        if printed.getvalue():
            cell["outputs"].append({"name": "stdout", "output_type": "stream", "text": lines(printed.getvalue())})
        if value is not None:
            html = {"text/html": lines(value._repr_html_())} if hasattr(value, "_repr_html_") else {}
            data = html | {"text/plain": lines(repr(value))}
            result = {"data": data, "execution_count": number, "metadata": {}, "output_type": "execute_result"}
            cell["outputs"].append(result)
        for picture in figures():
            data = {"image/png": picture, "text/plain": ["<Figure>"]}
            cell["outputs"].append({"data": data, "metadata": {}, "output_type": "display_data"})


def main(source, target):
    notebook = json.loads(Path(source).read_text(encoding="utf-8"))
    execute(notebook["cells"])
    written = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
    Path(target).write_text(written, encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
