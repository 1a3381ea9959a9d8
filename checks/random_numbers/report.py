"""docs/random-numbers.md: what was run, what was found, and what could not have been seen."""

import platform
import textwrap
from datetime import date
from importlib import metadata
from typing import Any

from checks.random_numbers import laws
from checks.random_numbers.power import Refusal
from checks.random_numbers.streams import VIEWS
from checks.random_numbers.verdicts import SUSPICIOUS, Judged, is_outside

INTRODUCTION = """# Random numbers

Written by `make check-rng{long}`; edit the check, in `checks/random_numbers`, not this page.

The generator is tested as the engine uses it: its own compiled functions, one xoshiro256++ per particle, seeded from
(seed, particle, salt), read in the orders in which simulations read it.

**{verdict}**

**The rule, set before the run.** A p-value outside [1e-4, 1 - 1e-4] is suspicious, and the statistic is then repeated
on other particles (from number 2^31 on). It has failed when the repetition is suspicious on the same side, or when
either p-value is outside [1e-10, 1 - 1e-10]. Of {count} statistics a sound generator makes {expected:.1f} suspicious on
average and none fail (chance of a false alarm: about {alarm:.0e}). Statistics of one stream are not all independent, so
suspicions may come in groups.

{month}, seed {seed} unless an order names its own, {minutes:.0f} minutes on {machine}; simdyn {simdyn}, Python
{python}, NumPy {numpy}, Numba {numba}, SciPy {scipy}.
"""

_VIEWS = """
## Bits

Each order is read in six views of 32-bit words: {views}.
Low halves become angles, high halves radii, and the lowest bit of a high half is the cosine's sign. The orders that are
read far are read in the first view alone. Sizes are in 64-bit words. Each view takes these tests, most of them of
Knuth's and TestU01's kinds and about as large as SmallCrush's or larger; their laws are exact, up to chi-square's and
Poisson's limits:
{tests}.

| order | words | statistics | smallest p | largest p | suspicious | failed |
|---|---|---|---|---|---|---|
"""

_NORMALS = """
## Normals and what is made from them

Standard errors are exact. The moments and tails expected are those of the law as it is: U an odd multiple of 2^-32, cut
at 6.66 standard deviations (in single precision 2^-31 and 6.56). Correlations are of z, z^2 and |z|, with each other;
pairs are counted in 128 x 128 cells as well. Student's and stable variates have tails without end: where a word comes
within 2^-19 of what makes one, further words are drawn. "The last 2e-06" of them are those alone, made from words
chosen to be so close, "the last 4e-12" and "7e-18" where both halves are, or the next word as well; they are counted in
cells each half as likely as the one before.

| what | draws | statistics | smallest p | largest p | suspicious | failed |
|---|---|---|---|---|---|---|
"""

_BATTERIES = """
## Published batteries

Through a pipe from the project's own functions; sizes are in 32-bit words, about.

| battery and order | words | statistics | smallest p | largest p | suspicious | failed |
|---|---|---|---|---|---|---|
"""

_NO_BATTERIES = """
## Published batteries

None was run here. TestU01 (SmallCrush, in the long form Crush) is run where its library is installed, dieharder in the
long form where it is; PractRand is not prepared for.
"""

_POWER = """
## What is refused

Deliberate errors, through the same code.

| error | suspicious | worst p | in |
|---|---|---|---|
"""

_RESOLUTION = """
## What could not be seen, and when it would be

The law is not exactly normal: U has 32 bits, and the polynomials have errors of up to 1.5e-7 (on average
{sine:.1e} in the sine's square and {radius:.1e} in the radius's). A bias below is relative; the last column is the
number of draws of which one standard error is as large.

| statistic | bias | draws |
|---|---|---|
"""

_NOTES = """
No normal exceeds 6.66 standard deviations (a chance of 2.7e-11), and the tail beyond 6.5 is 19 % too thin: a study that
needs events at such a distance in one step needs other numbers. In distribution the normals are off by about 1e-8 at
most, which 1e16 draws would show. One angle in 2^32 is 0, so that one sine in 2^32 vanishes; the angle -1 has no partner,
which shifts the mean of the sine by 2^-32.

Independence is seen as far as the draws reach: a correlation is surely found (99 % each time) from 6.2 standard
errors on, here {seen:.1e} between seeds or salts and {seen_within:.1e} between particles or a draw's two normals.

Two particles of one seed and salt never begin alike: their starting words come from a bijection of the particle's
number. All of a stream follows from one 64-bit number, however, so among particles of different seeds or salts, N in
all, two are the same with a chance of N^2/2^65: 3e-8 for a million, 3 % for 2^30. Salt k of a seed is salt 0 of the
seed that is larger by k times 0x9E3779B97F4A7C15.
"""


def amount(count: float) -> str:
    """A number in words' short form: 1e9, 1.3e8."""
    mantissa, exponent = f"{count:.1e}".split("e")
    return f"{mantissa.removesuffix('.0')}e{int(exponent)}"


def _p(p: float) -> str:
    return f"{p:.2g}" if p < 0.5 else f"1 - {1.0 - p:.2g}"


def _cells(found: list[Judged]) -> list[str]:
    values = [judged.result.p for judged in found]
    suspicious = sum(is_outside(p, SUSPICIOUS) for p in values)
    return [str(len(values)), _p(min(values)), _p(max(values)), str(suspicious), str(sum(j.failed for j in found))]


def line(name: str, size: str, found: list[Judged]) -> str:
    """One source's outcome, for the terminal."""
    count, low, high, suspicious, failed = _cells(found)
    return f"{name}, {size}: {count} statistics, p from {low} to {high}, {suspicious} suspicious, {failed} failed"


def _row(name: str, size: str, found: list[Judged]) -> str:
    return f"| {' | '.join([name, size, *_cells(found)])} |\n"


def _escaped(test: str) -> str:
    return test.replace("|", "\\|")


def _parted(found: list[Judged]) -> dict[str, list[Judged]]:
    parts: dict[str, list[Judged]] = {}
    for judged in found:
        parts.setdefault(judged.result.data, []).append(judged)
    return parts


def document(
    outcome: list[tuple[Any, list[Judged]]], refused: list[Refusal], seed: int, long: bool, seconds: float
) -> str:
    """The whole page."""
    everything = [judged for _, found in outcome for judged in found]
    suspicious = [judged for judged in everything if judged.again is not None]
    failed = sum(judged.failed for judged in everything)
    count = len(everything)
    verdict = f"{count} statistics: {len(suspicious) or 'none'} suspicious, {failed or 'none'} failed." + (
        " No weakness was found." if failed == 0 else ""
    )
    versions = {name: metadata.version(name) for name in ("numpy", "numba", "scipy")}
    page = INTRODUCTION.format(
        long="-long" if long else "", verdict=verdict, count=count, expected=2 * SUSPICIOUS * count,
        alarm=2 * SUSPICIOUS**2 * count, month=date.today().strftime("%Y-%m"), seed=seed, minutes=seconds / 60.0,
        machine=platform.machine(), simdyn=metadata.version("simdyn-lab"), python=platform.python_version(), **versions,
    )  # fmt: skip
    tests = dict.fromkeys(
        judged.result.test for source, found in outcome if source.chapter == "bits" for judged in found
    )
    page += _VIEWS.format(views="; ".join(VIEWS), tests=textwrap.fill("; ".join(tests), 130))
    page += "".join(_row(source.name, source.size, found) for source, found in outcome if source.chapter == "bits")
    page += _NORMALS
    for source, found in outcome:
        if source.chapter == "normals":
            page += "".join(_row(name, source.size, part) for name, part in _parted(found).items())
    batteries = [_row(source.name, source.size, found) for source, found in outcome if source.chapter == "batteries"]
    page += _BATTERIES + "".join(batteries) if batteries else _NO_BATTERIES
    if suspicious:
        page += "\n## Suspicious once\n\n| statistic | of | p | again | failed |\n|---|---|---|---|---|\n"
        for result, again, fails in suspicious:
            assert again is not None
            page += f"| {_escaped(result.test)} | {result.data} | {_p(result.p)} | {_p(again)} | {'yes' if fails else 'no'} |\n"
    page += _POWER
    for what, seen, of, worst in refused:
        page += f"| {what} | {seen} of {of} | {_p(worst.p)} | {_escaped(worst.test)} |\n"
    bias = laws.polynomial_bias()
    page += _RESOLUTION.format(sine=bias["E sin^2"], radius=bias["E w"])
    page += "".join(f"| {name} | {share:.1e} | {amount(draws)} |\n" for name, share, draws in laws.resolutions())
    draws = max(float(source.size) for source, _ in outcome if source.chapter == "normals")
    return page + _NOTES.format(seen=6.2 / draws**0.5, seen_within=6.2 / (draws / 2.0) ** 0.5)
