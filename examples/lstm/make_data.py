"""Writes data.npz: numbers as the Romans wrote them and as the Chinese do, and what they mean.

Run it in the repository's folder: `python -m examples.lstm.make_data`
"""

from pathlib import Path

import numpy as np

# A character is a number, its place here. The blank at 0 fills up what is shorter than the longest.
CHARACTERS = " IVXLCDM零一二三四五六七八九十百千"
LONGEST = 15  # MMMDCCCLXXXVIII
ROMAN = {
    1000: "M",
    900: "CM",
    500: "D",
    400: "CD",
    100: "C",
    90: "XC",
    50: "L",
    40: "XL",
    10: "X",
    9: "IX",
    5: "V",
    4: "IV",
    1: "I",
}


def roman(number: int) -> str:
    """1987 -> MCMLXXXVII."""
    written = ""
    for value, letters in ROMAN.items():
        count, number = divmod(number, value)
        written += letters * count
    return written


def chinese(number: int) -> str:
    """1987 -> 一千九百八十七. One 零 stands for all zeros between two digits; those at the end are not written."""
    written = ""
    for place, unit in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = number // place % 10
        if digit:
            written += "零一二三四五六七八九"[digit] + unit
        elif written and number % place and not written.endswith("零"):
            written += "零"
    return written.removeprefix("一") if written.startswith("一十") else written


def encode(written: str) -> list[int]:
    """Its characters' numbers. Blanks go before them, so that the last step reads the last character."""
    return [CHARACTERS.index(character) for character in written.rjust(LONGEST)]


def main() -> None:
    """240 numbers below 4000, each written in both ways."""
    numbers = np.random.default_rng(0).choice(np.arange(1, 4000), 240, replace=False)
    inputs = [encode(write(number)) for number in numbers.tolist() for write in (roman, chinese)]
    # In thousands, and of the shape of the model's output, (N, 1).
    targets = np.repeat(numbers, 2)[:, np.newaxis] / 1000
    np.savez_compressed(Path(__file__).with_name("data.npz"), inputs=np.array(inputs), targets=targets)


if __name__ == "__main__":
    main()
