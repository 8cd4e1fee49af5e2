"""The tests' own test: `make mutants` breaks the programs in one place at a time, and a named test must notice.

Each mutant is a textual change to a copy of the repository. It is killed when the test named beside it fails there,
having passed on an unchanged copy. A change that no longer applies, and a test that can't run, are errors.
"""

from tests.mutants import devices, exports, findings, judging, pairs, programs, reading, reports, training
from tests.mutants.table import Mutant

MUTANTS: list[Mutant] = [
    *devices.MUTANTS,
    *exports.MUTANTS,
    *findings.MUTANTS,
    *judging.MUTANTS,
    *pairs.MUTANTS,
    *programs.MUTANTS,
    *reading.MUTANTS,
    *reports.MUTANTS,
    *training.MUTANTS,
]
