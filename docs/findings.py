"""The numbers of findings.md, from exact answers alone: `python docs/findings.py [number ...]`."""

import math
import sys
import warnings

import click
import numpy as np

import simdyn as sd
from simdyn import exact, theory

WELL, THEORYS_NOISE = sd.DoubleWell(1.0, 1.0), sd.FrozenNoise(1.0)
passage = exact.mean_first_passage


def sharpness():
    """coefficient A over theory's, fitted to exact log tau against 1/k, raw and with theory's prefactor taken off."""
    for low, high, rate in ((4, 10, 0.025), (2, 8, 0.03125)):
        k = 2.0 / (8.0 * rate) / np.linspace(low, high, 7)
        for name, method in (("SGD", sd.SGD(rate)), ("EMA Momentum", sd.Momentum(rate, 0.9, 0.1))):
            wells = [sd.Sharpened(WELL, sharp) for sharp in k]
            ends = [1.0 / math.sqrt(sharp) for sharp in k]
            tau = [
                float(passage(method, well, THEORYS_NOISE, sd.Beyond(end), -end))
                for well, end in zip(wells, ends, strict=True)
            ]
            known = np.log([theory.prefactor(method, well, THEORYS_NOISE) for well in wells])
            raw, corrected = (np.polyfit(1 / k, y, 1)[0] * 4 * rate for y in (np.log(tau), np.log(tau) - known))
            slope = np.polyfit(np.log(k), np.log(np.log(tau)), 1)[0]
            click.echo(
                f"{name}, exponents {low} to {high}: A/theory raw {raw:.3f}, corrected {corrected:.3f};"
                f" slope of log log tau {slope:.2f}"
            )


def conventions():
    """the exact equation over the attributed SGD formula, in three conventions, on two matched parabolas."""
    rate = 1e-3
    for ratio in (1 / 3, 1.0, 3.0):
        well = sd.MatchedParabolas(1.0, 4.0 / math.sqrt(ratio), 4.0 * math.sqrt(ratio))
        _, low, high = well
        end, share = math.sqrt(2.0 * (1.0 / low + 1.0 / high)), high / (low + high)
        for action in (6.5, 20.0, 60.0):
            batch = action * rate / 2.0 / (share / low + (1.0 - share) / high)
            noise = sd.TwoPieceNoise(batch)
            formula = rate * theory.escape_time(sd.SGD(rate), well, noise)
            found = [
                float(
                    passage(sd.Overdamped(rate), well, sd.ScaledNoise(noise, rate), sd.Beyond(end), -end, convention=c)
                )
                for c in (0.0, 0.5, 1.0)
            ]
            words = ", ".join(
                f"{name} {time / formula:.4f}"
                for name, time in zip(("Ito", "Stratonovich", "Klimontovich"), found, strict=True)
            )
            click.echo(f"|H_b|/H_a = {ratio:.3f}, exponent {action:g}: {words}")


def adam():
    """Adam's chain against v held still and the attributed formula, at the saddle itself; beta1 = 0."""
    top = sd.Beyond(0.0)
    for rate in (0.15, 0.12, 0.10, 0.08, 0.06):
        method = sd.Adam(rate, 0.0, 0.99)
        full = passage(method, WELL, THEORYS_NOISE, top, -1.0)
        settled = exact.settled_v(method, WELL, THEORYS_NOISE, top, -1.0)
        held = [
            float(exact.adam_with_frozen_v(method, WELL, THEORYS_NOISE, top, -1.0, v=v)) / full.value
            for v in (None, settled)
        ]
        formula = float(theory.escape_time(method, WELL, THEORYS_NOISE, at_saddle=True)) / full.value
        click.echo(
            f"eta {rate}: chain {full.value:.4g} ± {full.error:.1g}; over it v = C {held[0]:.3f},"
            f" v = {settled:.2f} (settled) {held[1]:.3f}, formula {formula:.3f}"
        )


def local_noise():
    """local |L''|/B noise on a smooth well, without and with a floor."""
    for floor in (0.0, 1.0, 0.1, 0.01, 0.001):
        try:
            noise = sd.ScaledNoise(sd.LocalNoise(1.0, floor), 0.08)
            tau = passage(sd.Overdamped(0.01), WELL, noise, sd.Beyond(1.0), -1.0)
            click.echo(f"floor {floor:g}: tau = {tau.value:.5g}")
        except sd.InvalidInput as refusal:
            click.echo(f"floor {floor:g}: {refusal}")


def steps():
    """the Euler-Maruyama chain over the diffusion it approximates, D = 1/4, plain and with the bridge."""
    noise = sd.ConstantNoise(0.5)
    for end in (0.0, 1.0):
        limit = float(passage(sd.Overdamped(0.01), WELL, noise, sd.Beyond(end), -1.0))
        for bridge in (False, True):
            found = [
                h
                * float(exact.mean_first_passage_of_scheme(sd.Overdamped(h), WELL, noise, sd.Beyond(end), -1.0, bridge))
                for h in (0.02, 0.01, 0.005, 0.0025)
            ]
            words = " ".join(f"{time / limit - 1.0:+.4f}" for time in found)
            click.echo(f"exit at {end:g}{', bridged' if bridge else ''}: {words}")


def damping():
    """rate theories over the exact mean first passage of the other minimum, five temperatures high."""
    for gamma in (0.03, 0.1, 0.5, 1.0, 2.0, 10.0):
        method, noise = sd.Inertial(0.01, 1.0, gamma), sd.ConstantNoise(0.4 * gamma)
        tau = float(passage(method, WELL, noise, sd.Beyond(1.0), -1.0))
        found = {rate.name: 1.0 / (rate.value * tau) for rate in theory.rates(method, WELL, noise)}
        words = ", ".join(f"{name} {ratio:.3f}" for name, ratio in found.items() if ratio > 0.1)
        click.echo(f"gamma/omega_b {gamma / 2:g}: tau {tau:.2f}; {words}")


FINDINGS = {"1": sharpness, "2": conventions, "3": adam, "4": local_noise, "5": adam, "6": steps, "7": damping}

if __name__ == "__main__":
    warnings.simplefilter("ignore")  # formulas are shown outside their validity on purpose
    for number in sys.argv[1:] or FINDINGS:
        click.echo(f"\nFinding {number}. {FINDINGS[number].__doc__}")
        FINDINGS[number]()
