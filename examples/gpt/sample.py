"""Trains the GPT of both frameworks alike, and lets each write a line: they are the same, character by character.

Run it in the repository's folder: `python -m examples.gpt.sample`. Exit status: 0 the same characters; 1 others;
2 nothing compared.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from textwrap import indent

import numpy as np

from examples.gpt.make_data import ALPHABET, CONTEXT, HERE, decode, encode
from shared.comparing.processes import find_interpreter
from shared.system import ending
from shared.system.errors import InputError
from shared.system.paths import ROOT

NAME = "python -m examples.gpt.sample"

STEPS, BATCH_SIZE = 600, 16
LONGEST = 40  # characters of a line
BEGINNINGS = ["圣人", "道", "Love"]
START = "start.npz"

# One update from inputs and targets (B, T); the logits of what follows a text of numbers (451,).
Step = Callable[[np.ndarray, np.ndarray], object]
Logits = Callable[[list[int]], np.ndarray]


def pytorch(folder: Path) -> tuple[Step, Logits]:
    """Draws the weights that both start from."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    from examples.gpt import in_pytorch as ours

    model = ours.model()
    np.savez(folder / START, **{name: tensor.detach().numpy() for name, tensor in model.named_parameters()})
    optimizer = ours.optimizer(model)
    scheduler = ours.scheduler(optimizer)

    def step(inputs: np.ndarray, targets: np.ndarray) -> None:
        optimizer.zero_grad()
        ours.loss(model(torch.from_numpy(inputs)), torch.from_numpy(targets)).backward()
        ours.after_backward(model)
        optimizer.step()
        scheduler.step()

    @torch.inference_mode()
    def logits(text: list[int]) -> np.ndarray:
        return model(torch.tensor([text]))[0, -1].numpy()

    return step, logits


def tensorflow(folder: Path) -> tuple[Step, Logits]:
    """Starts from PyTorch's weights."""
    import keras
    import tensorflow as tf

    keras.config.set_floatx("float64")
    from examples.gpt import in_keras as ours

    model = ours.model()
    model(np.zeros([1, CONTEXT], int))  # Keras creates the weights at the first call
    with np.load(folder / START) as start:
        # Both models have their layers in the same order. Keras keeps a kernel as (in, out), PyTorch as (out, in).
        for variable, values in zip(model.trainable_variables, start.values(), strict=True):
            variable.assign(values.T if variable.name == "kernel" else values)
    optimizer = ours.optimizer()
    optimizer.build(model.trainable_variables)

    @tf.function
    def step(inputs: tf.Tensor, targets: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            loss = ours.loss(targets, model(inputs, training=True))
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)

    def logits(text: list[int]) -> np.ndarray:
        return model(np.array([text]))[0, -1].numpy()

    return lambda inputs, targets: step(tf.constant(inputs), tf.constant(targets)), logits


def train(step: Step) -> None:
    """Batches are drawn with the same random numbers for both."""
    draws = np.random.default_rng(0)
    with np.load(HERE / "data.npz") as file:
        inputs, targets = file["inputs"], file["targets"]
    for _ in range(STEPS):
        batch = draws.choice(len(inputs), BATCH_SIZE, replace=False)
        step(inputs[batch], targets[batch])


def write(logits: Logits, beginning: str) -> str:
    """The line goes on with characters drawn from the probabilities, with the same random numbers for both."""
    draws = np.random.default_rng(0)
    text = encode(beginning)
    while len(text) < LONGEST and text[-1] != ALPHABET.index("\n"):
        values = logits(text[-CONTEXT:])
        probabilities = np.exp(2 * (values - values.max()))  # squared, so that the likely ones are drawn more often
        chances = probabilities.cumsum()
        text.append(int(chances.searchsorted(draws.random() * chances[-1], side="right")))
    return decode(text).rstrip("\n")


def run(framework: str, folder: Path) -> None:
    """What one framework's process does: its lines go into a file of its name."""
    step, logits = {"PyTorch": pytorch, "TensorFlow": tensorflow}[framework](folder)
    train(step)
    lines = [write(logits, beginning) for beginning in BEGINNINGS]
    (folder / framework).write_text("\n".join(lines), encoding="utf-8")


def compare() -> int:
    """Each framework in its own process. Float64: there, rounding is too small to change a character."""
    print(f"A character is a number, its place among the {len(ALPHABET)} of the two texts:")
    for word in ("天长地久", "Love"):
        print(f"    {word}: {', '.join(map(str, encode(word)))}")
    written = {}
    with tempfile.TemporaryDirectory() as folder:
        for framework in ("PyTorch", "TensorFlow"):
            command = [find_interpreter(framework, None), "-m", "examples.gpt.sample", "--process", framework, folder]
            # What is told on standard error is TensorFlow's greeting, unless the process fails.
            child = subprocess.run(command, check=False, cwd=ROOT, stderr=subprocess.PIPE)
            if child.returncode:
                *_, last = child.stderr.decode(errors="replace").splitlines() or ["no words"]
                raise InputError(f"{framework} ended with status {child.returncode}: {last}")
            written[framework] = (Path(folder) / framework).read_text(encoding="utf-8")
            print(f"\n{framework}, after {STEPS} steps:\n{indent(written[framework], '    ')}")
    same = written["PyTorch"] == written["TensorFlow"]
    print(f"\n{'The same characters.' if same else 'Not the same characters.'}")
    return ending.OK if same else ending.FAILED


def main() -> int:
    """Without arguments: start a process of each framework, and compare what they wrote."""
    parser = argparse.ArgumentParser(prog=NAME, description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--process", nargs=2, metavar=("FRAMEWORK", "FOLDER"), help="what this program starts, once for each framework"
    )
    options = parser.parse_args()
    if options.process:
        framework, folder = options.process
        run(framework, Path(folder))
        return ending.OK
    return compare()


if __name__ == "__main__":
    sys.exit(ending.exit_status(NAME, main))
