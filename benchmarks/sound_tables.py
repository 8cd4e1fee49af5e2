"""What benchmarks.sound makes of its rows: how close sound runs came to each limit, how often one would fail."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from shared.comparing import deviations, verification
from shared.reporting import markdown
from shared.reporting.parts import Code, Table

Row = dict[str, Any]
MEASURED = "where rounding alone carries it"  # so a finding's size says that rounding was measured for it
CHAOTIC = "chaotic"  # the kind that is reported apart
ERROR = 0.05  # of each bound
TAIL = 0.1  # the share of the comparisons that the tail is fitted to
FEWEST = 10  # comparisons that it is fitted to
SLOW = 5  # times the median time of a step's verification: such runs are listed


def line(row: Row) -> str:
    """A row in words."""
    name = f"{row['kind']} {row['number']} {row['framework']} {row['options']}"
    if "checks" not in row:
        return f"{name}: {row.get('failed', 'not finite')}"
    check = max(row["checks"], key=lambda check: row["checks"][check]["share"])
    closest = row["checks"][check]
    told = f"{closest['share']:.2f} {check}, {closest['where']}; {row['crossings']} crossings"
    return "; ".join([f"{name}: {told}", f"{row['seconds']} s and {row['verified_in']} s", *row["reasons"]])


def deciding(row: Row) -> dict[str, float]:
    """By check: the share of what could have failed the run. Where rounding was not measured, nothing could."""
    shares = {check: float(closest["share"]) for check, closest in row["checks"].items()}
    return shares | {check: share for check, share in row["second_look"].items() if check in shares}


class Rate(NamedTuple):
    """How often a sound comparison fails: as counted, and by the tail of the shares."""

    comparisons: int
    failing: int
    at_most: float  # as counted, at 1 - ERROR
    largest: float  # share of what is allowed
    tail: str  # the law that was fitted to the largest shares
    by_tail: float  # how often one is above 1
    by_tail_at_most: float  # at 1 - ERROR


def rate(shares: Sequence[float]) -> Rate:
    """How often a comparison fails, from the largest share of each (independent) comparison.

    Nothing but the tail matters, and configurations are not alike: so the excesses over a threshold are fitted, and not
    the maxima. Exponential excesses are those of a difference that is normal, Pareto's those of a ratio to a measured
    floor. Both are fitted, and the larger bound is the answer.
    """
    from scipy import stats  # takes a second

    ordered = np.sort(np.array(shares))[::-1]
    count, failing = len(ordered), int(np.sum(~(ordered <= 1)))
    counted = float(stats.beta.ppf(1 - ERROR, failing + 1, count - failing))
    tail = max(FEWEST, round(TAIL * count))
    threshold = float(ordered[tail]) if tail < count else np.inf
    if not 0 < threshold < 1:
        return Rate(count, failing, counted, float(ordered[0]), "none", failing / count, counted)
    # Half of the error goes to how many are above the threshold, half to how far.
    above = float(stats.beta.ppf(1 - ERROR / 2, tail + 1, count - tail))
    widened = 2 * tail / float(stats.chi2.ppf(ERROR / 2, 2 * tail))
    # Of such an excess the logarithm is exponential, and that of 1 lies so far above the threshold.
    laws: dict[str, tuple[Callable[[np.ndarray], np.ndarray], float]] = {
        "exponential": (lambda values: values - threshold, 1 - threshold),
        "Pareto": (lambda values: np.log(values / threshold), -float(np.log(threshold))),
    }
    fitted = []
    for law, (excess, to_limit) in laws.items():
        mean = float(np.mean(excess(ordered[:tail])))
        fitted.append((above * np.exp(-to_limit / (widened * mean)), tail / count * np.exp(-to_limit / mean), law))
    bound, estimate, law = max(fitted)
    return Rate(count, failing, counted, float(ordered[0]), law, float(estimate), float(bound))


def of_comparisons(rows: Iterable[Row], check: str | None = None) -> list[float]:
    """The largest deciding share of each comparison, of both its runs; of one check, or of all."""
    largest: dict[tuple[str, int], float] = {}
    for row in rows:
        name, shares = (row["kind"], row["number"]), deciding(row)
        if check is None or check in shares:
            share = max(shares.values()) if check is None else shares[check]
            largest[name] = max(largest.get(name, 0.0), share)
    return list(largest.values())


def results(rows: Sequence[Row]) -> dict[str, Any]:
    """All that is written into benchmarks/sound.json."""
    judged = [row for row in rows if "checks" in row]
    sound = [row for row in judged if row["kind"] != CHAOTIC]
    kinds = sorted({row["kind"] for row in sound})
    samples = {"all": sound, **{kind: [row for row in sound if row["kind"] == kind] for kind in kinds}}
    return {
        "rates": {name: rate(of_comparisons(of))._asdict() for name, of in samples.items()},
        "checks": {check: _check(sound, check) for check in _names(sound)},
        "first_look": _first_look(sound),
        "systematic": _systematic(sound),
        "failing": [line(row) for row in sound if row["reasons"]],
        "chaotic": [line(row) for row in judged if row["kind"] == CHAOTIC],
        "not_judged": [line(row) for row in rows if "checks" not in row],
        "slow": _slow(judged),
        "runs": [_in_short(row) for row in judged],
    }


def _names(rows: Sequence[Row]) -> list[str]:
    """The checks, in the order of the judge."""
    return list(dict.fromkeys(check for row in rows for check in row["checks"]))


def _check(rows: Sequence[Row], check: str) -> dict[str, Any]:
    having = [row for row in rows if check in row["checks"]]
    closest = max(having, key=lambda row: deciding(row)[check])
    first = max(float(row["checks"][check]["share"]) for row in having)
    return {
        "runs": len(having),
        "largest": deciding(closest)[check],
        "largest_of_any_look": first,
        "measured_in": sum(row["second_look"][check] > 0 for row in having)
        if check in having[0]["second_look"]
        else None,
        "framework": closest["framework"],
        "options": closest["options"],
        "where": closest["checks"][check]["where"],
        "size": closest["checks"][check]["size"],
        "rate": rate(of_comparisons(having, check))._asdict(),
    }


def _quantiles(values: Sequence[float]) -> dict[str, float]:
    shares = {"median": 0.5, "95%": 0.95, "99%": 0.99, "largest": 1.0}
    return {name: float(np.quantile(values, share)) for name, share in shares.items()} if values else {}


def _first_look(rows: Sequence[Row]) -> dict[str, Any]:
    """Of each kind of tensor: how far it lay off in each run, where rounding was not measured."""
    kinds = dict.fromkeys(kind for row in rows for kind in row["first_look"])
    return {
        kind: {
            what: _quantiles([row["first_look"][kind][place] for row in rows if kind in row["first_look"]])
            for place, what in enumerate(("furthest", "rms"))
        }
        for kind in kinds
    }


def _systematic(rows: Sequence[Row]) -> dict[str, Any]:
    """Of each check of what leans: over runs and tensors, the size and the t of the median."""
    found: dict[str, Any] = {}
    for check in dict.fromkeys(check for row in rows for check in row["systematic"]):
        pairs = [(*pair, tensor, row) for row in rows for tensor, pair in row["systematic"].get(check, {}).items()]
        largest = max(pairs, key=lambda pair: abs(pair[0]))
        found[check] = {
            "tensors": len(pairs),
            "size": _quantiles([abs(size) for size, *_ in pairs]),
            "t": _quantiles([abs(t) for _, t, *_ in pairs]),
            "largest": {
                "size": largest[0],
                "t": largest[1],
                "tensor": largest[2],
                "framework": largest[3]["framework"],
                "options": largest[3]["options"],
            },
        }
    return found


def _slow(rows: Sequence[Row]) -> list[str]:
    times = [row["verified_in"] / row["steps"] for row in rows]
    slow = [(time, row) for time, row in zip(times, rows, strict=True) if time > SLOW * np.median(times)]
    return [
        f"{row['framework']} {row['options']}: {row['verified_in']} s for {row['steps']:,} steps, {row['crossings']} "
        f"crossings, rounding measured in {row['looked_twice']} of {row['segments']} segments"
        for _, row in sorted(slow, key=lambda pair: -pair[0])
    ]


def _in_short(row: Row) -> dict[str, Any]:
    kept = ("kind", "framework", "options", "steps", "segments", "crossings", "looked_twice", "seconds", "verified_in")
    return {**{name: row[name] for name in kept}, "shares": {c: round(s, 4) for c, s in deciding(row).items()}}


def allowed() -> dict[str, str]:
    """What each check allows, in words."""
    rounding = "or so many times what rounding does there"

    def ulps(limits: deviations.Limits) -> str:
        return f"{limits.most:g} ulps, rms {limits.rms:g}"

    errors = f"{verification.STANDARD_ERRORS:g} standard errors"
    return {
        "first step": f"{ulps(deviations.OUTPUTS)}, {rounding}: {_times(deviations.OUTPUTS)}",
        "every step": f"{ulps(deviations.WEIGHTS)} (losses {ulps(deviations.LOSSES)}; what the optimizer keeps "
        f"{ulps(deviations.BUFFERS)}), {rounding}: {_times(deviations.WEIGHTS)}, of adaptive rules "
        f"{_times(deviations.WEIGHTS._replace(**deviations.ADAPTIVE))}",
        "direction of what is left": f"a correlation of {verification.CORRELATION:g} and {errors}",
        "size of the updates": f"{verification.UPDATES_EPSILONS:g} ε and {errors}",
        "decay of the weights": f"{verification.WEIGHTS_EPSILONS:g} ε and {errors}",
        "mean of the losses": f"{verification.LOSSES_ULPS:g} ulps and {errors}",
        "test logits": f"{ulps(deviations.OUTPUTS)}, {rounding}: {_times(deviations.OUTPUTS)}",
        "figures of the epochs": f"{verification.SAME_FIGURE:g}, relative",
    }


def _times(limits: deviations.Limits) -> str:
    return f"{limits.times:g} (rms {limits.times_rms:g})"


def tables(told: dict[str, Any]) -> str:
    """Markdown: the rates, the checks, what leans, and how far numbers lie off before rounding is measured."""
    limits, quantiles = allowed(), ("median", "99%", "largest")
    checks = [
        [
            check,
            limits.get(check, "nothing"),
            str(of["runs"]),
            f"{of['largest']:.2f}",
            Code(of["options"]) if of["largest"] else "–",
        ]
        for check, of in told["checks"].items()
    ]

    def quantile_table(name: str, found: dict[str, Any], sizes: Sequence[str]) -> Table:
        header = [name, *(f"{size}, {quantile}" for size in sizes for quantile in quantiles)]
        rows = [[what, *(f"{of[s][q]:.2g}" for s in sizes for q in quantiles)] for what, of in found.items()]
        return Table(header, rows)

    made = [
        Table(
            ["comparisons", "number", "failing", "so at most", "largest share", "by the tail", "so at most", "tail"],
            [_rate_cells(name, of) for name, of in told["rates"].items()],
        ),
        Table(["check", "allowed", "runs", "largest share", "closest"], checks, words=True),
        quantile_table("what leans", told["systematic"], ("size", "t")),
        quantile_table("before rounding is measured", told["first_look"], ("furthest", "rms")),
    ]
    return "\n\n".join(map(markdown.table, made)) + "\n"


def _rate_cells(name: str, of: dict[str, Any]) -> list[str]:
    counted = [str(of["comparisons"]), str(of["failing"]), f"{of['at_most']:.1%}", f"{of['largest']:.2f}"]
    fitted = [f"{of['by_tail']:.1e}", f"{of['by_tail_at_most']:.1e}"] if of["tail"] != "none" else ["–", "–"]
    return [name, *counted, *fitted, of["tail"]]
