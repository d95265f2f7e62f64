"""What an export says of itself to whoever deploys it."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgebench.analysis.result import Result
    from edgebench.export.exported import Exported
    from edgebench.parts.pipeline import Pipeline, TensorSpec
    from edgebench.records.outcome import Run

PORT = 9000
_TENSORS = """\
The inputs are the tensors that the model takes; making them of pictures, texts or the like stays
yours, and so does reading the outputs. input.npz holds {example}; output.npz what the pipeline gave
for it, with the backends, devices, threads and options that were measured.
"""
_FOLDERS = """\
Each folder holds all that one machine needs: copy it there, and install its requirements.txt for
Python 3.10 or newer. Neither edgebench nor its plugins are needed.
"""


def write_readme(run: Run, result: Result, pipeline: Pipeline, made: Exported) -> str:
    """Return the text of README.txt."""
    parts = [
        f"{result.case.label}\n",
        _describe_figures(run, result),
        f"Weights: {made.licence}.",
        *(f"Mind: {doubt}." for doubt in made.doubts),
        _TENSORS.format(example=made.example),
        _FOLDERS,
    ]
    wrapped = [fill(part, 80) for part in parts]
    specs = [f"  input {_write_spec(spec)}" for spec in pipeline.inputs]
    return "\n\n".join([*wrapped, "\n".join(specs), _write_commands(made.pieces), _SAFETY])


def _describe_figures(run: Run, result: Result) -> str:
    latency, figure = result.latency, result.figure
    said = []
    if latency is not None:
        low, high = (1e3 * end for end in latency.interval())
        blocks = f"{len(result.measured)} block{'s' * (len(result.measured) != 1)}"
        said.append(f"median {latency.median * 1e3:.3g} ms ({low:.3g} to {high:.3g}, {blocks})")
    if figure is not None:
        said.append(f"{figure.metric} {100 * figure.value:.1f} % of {figure.samples} samples")
    return f"Measured in run {run.id}: {'; '.join(said) or 'nothing'}. See figures.json."


def _write_spec(spec: TensorSpec) -> str:
    return f"{spec.name}: {spec.dtype}, shape ({', '.join(map(str, spec.shape))})"


def _write_commands(folders: tuple[str, ...]) -> str:
    """Return the commands that run it on one machine, the last piece first."""
    lines = ["To try it on one machine, from this directory:\n"]
    last = len(folders) - 1
    for number, folder in reversed(list(enumerate(folders))):
        following = "" if number == last else f" --next 127.0.0.1:{PORT + number + 1}"
        if number:
            lines.append(f"  python {folder}/piece.py --listen 127.0.0.1:{PORT + number} &")
            lines[-1] = lines[-1].replace(" &", f"{following} &")
        else:
            lines.append(
                f"  python {folder}/piece.py --inputs input.npz --outputs mine.npz{following}"
            )
    first = folders[0]
    following = f" --next HOST:{PORT + 1}" if last else ""
    lines += [
        "\nTo serve, start the pieces on their machines, the last one first, each with\n",
        f"  python piece.py --listen 127.0.0.1:{PORT}{following}",
        "\nand send to the first from elsewhere with\n",
        f"  python {first}/piece.py --send HOST:{PORT} --inputs input.npz --outputs mine.npz",
    ]
    return "\n".join(lines)


_SAFETY = """\
An address of this machine alone (127.0.0.1) is reached from nowhere else; others
must be said. Messages are neither encrypted nor signed: let only machines that
you trust reach a port, or go through a tunnel. A message larger than --most
bytes, or of other tensors than piece.json says, is refused before it is read;
room is made as bytes come, and at most 16 connections are answered at once.
States of a pipeline that keeps some from request to request are those of one
connection: a new one starts anew.
Files that are not those that were exported are not opened (SHA-256).
"""
