"""How the verdict of a comparison comes about, in a few sentences: docs/parity.md has the whole rule."""

from shared.comparing.comparison import Outcome
from shared.comparing.deviations import ADAPTIVE, LOSSES, WEIGHTS
from shared.comparing.verification import EVERY_STEP
from shared.reporting import findings
from shared.reporting.parts import Bullets, Section
from shared.system.language import say
from shared.update_rules import UPDATE_RULES

GIVEN = say(
    "Both frameworks are given the same images in the same order, the same first weights and the same settings. That "
    "each did train with these is checked, by checksums and bit by bit."
)
MATCHES = say(
    "MATCH is said where both frameworks were given the same, every number is finite, and each row of the table passes "
    "for each of them. All else is NO MATCH, with the reason."
)
NOT_JUDGED = say(
    "How far the two whole runs lie apart is shown beside the noise floor, and not judged, for two sound runs diverge: "
    "there a figure above 1 is no mistake, and one below 1 is no proof."
)


def section(outcome: Outcome) -> Section:
    """For a reader who has nothing but this report."""
    covered = [_covered(outcome)] if outcome.match else []
    sentences = [GIVEN, _step(outcome), _limit(outcome), *covered, MATCHES, NOT_JUDGED]
    return Section("verdict", say("How the verdict comes about"), [Bullets(sentences)])


def _step(outcome: Outcome) -> str:
    verified = outcome.verdict.verified
    lengths = [segment.until - segment.first for found in verified.values() for segment in found.segments]
    return say(
        "A step is a function of the weights before it and of its batch. So weights that each framework recorded on "
        "its way{often} are given to the reference implementation, the same training in NumPy, and it takes the steps "
        "to the next recorded ones, a segment. What it finds must be what the framework found, to within rounding. "
        "Nothing is chaotic in so few steps, so that a mistake can’t hide behind the divergence of two whole runs.",
        often=say(", at least every {steps:,} steps,", steps=max(lengths)) if lengths else "",
    )


def _limit(outcome: Outcome) -> str:
    adaptive = "square" in UPDATE_RULES[outcome.training.optimizer].buffers
    return say(
        "What rounding may do is a limit. The weights at the end of a segment may lie {weights:g} ulps off and the "
        "losses of its steps {losses:g}, and the roots of the mean squares {weights_rms:g} and {losses_rms:g}. For a "
        "tensor that lies further off, rounding is measured in that very segment, by the reference implementation "
        "alone, and the tensor may lie {times:g} times as far off as that. Why just so far: sound runs have to pass, "
        "and planted mistakes must not. How many of each did is measured, in benchmarks/sound.md and "
        "benchmarks/mistakes.md; the whole rule is in docs/parity.md.",
        weights=WEIGHTS.most,
        weights_rms=WEIGHTS.rms,
        losses=LOSSES.most,
        losses_rms=LOSSES.rms,
        times=ADAPTIVE["times"] if adaptive else WEIGHTS.times,
    )


def _covered(outcome: Outcome) -> str:
    return say(
        "The {share:.0%} in the verdict is the largest share of its limit that a weight tensor or the losses took, in "
        "any segment of either framework: it is the row “{check}” of the table below. The other rows are judged too, "
        "each by its own limit.",
        share=findings.furthest_step(outcome).share,
        check=EVERY_STEP,
    )
