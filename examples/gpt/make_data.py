"""Writes data.npz: windows of two classics, each character a number, and of each character the one that follows it.

Run it in the repository's folder: `python -m examples.gpt.make_data`
"""

from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
TEXTS = [(HERE / "texts" / name).read_text(encoding="utf-8") for name in ("laozi.txt", "sonnets.txt")]
# A character's number is its place here: in the order of Unicode, so that Latin letters come first.
ALPHABET = "".join(sorted(set("".join(TEXTS))))
CONTEXT = 32  # characters that are read at once
WINDOWS = 240  # of each text


def encode(text: str) -> list[int]:
    """Characters -> numbers."""
    return [ALPHABET.index(character) for character in text]


def decode(numbers: list[int]) -> str:
    """Numbers -> characters."""
    return "".join(ALPHABET[number] for number in numbers)


def windows(text: str) -> np.ndarray:
    """(240, 33), evenly spread over the text."""
    starts = np.linspace(0, len(text) - CONTEXT - 1, WINDOWS).astype(int)
    return np.array([encode(text[start : start + CONTEXT + 1]) for start in starts])


def main() -> None:
    """Inputs and targets are the same windows, one character apart."""
    examples = np.concatenate([windows(text) for text in TEXTS])
    np.savez_compressed(HERE / "data.npz", inputs=examples[:, :-1], targets=examples[:, 1:])


if __name__ == "__main__":
    main()
