"""simdyn: a laboratory for escape and diffusion of stochastic optimizers.

Every public name is loaded on first use, so that ``import simdyn`` costs nothing.
"""

import importlib
from typing import Any

__version__ = "0.2.0"

_HOME = {
    "simdyn.model.landscapes": (
        "Quadratic Saddle DoubleWell Valley MatchedParabolas StyblinskiTang Sharpened Rotated"
        " value gradient curvature dimension"
    ),
    "simdyn.model.unequal": "UnequalWells MinimaChain WithBath",
    "simdyn.model.expression": "Expression",
    "simdyn.model.geometry": "minimum saddle split joints value_at gradient_at curvatures_at hessian_at",
    "simdyn.model.noise": (
        "ConstantNoise FrozenNoise TwoPieceNoise LocalNoise ScaledNoise variance kick settle variance_at"
        " is_gaussian has_variance tail_index"
    ),
    "simdyn.model.heavy_noise": "StudentNoise StableNoise",
    "simdyn.model.finite_sum": "FiniteSum MiniBatch samples sample_gradient",
    "simdyn.model.boundaries": "Beyond BeyondPlane OutsideBall NearerTo LossAbove LossBelow outside plane_through_saddle",
    "simdyn.model.dynamics.langevin": "Overdamped Inertial",
    "simdyn.model.dynamics.sgd": "SGD Momentum Nesterov",
    "simdyn.model.dynamics.signsgd": "SignSGD",
    "simdyn.model.dynamics.rmsprop": "RMSProp",
    "simdyn.model.dynamics.adam": "Adam",
    "simdyn.model.dynamics.adamw": "AdamW",
    "simdyn.model.dynamics.amsgrad": "AMSGrad",
    "simdyn.model.dynamics.padam": "Padam",
    "simdyn.model.dynamics.adabound": "AdaBound",
    "simdyn.model.dynamics.yogi": "Yogi",
    "simdyn.model.dynamics.radam": "RAdam",
    "simdyn.model.dynamics.adai": "Adai AdaiW AdaiV2",
    "simdyn.model.dynamics.protocol": "step observe schedule schedule_with_momentum maturity time_step stability_limit "
    "begin begin_running",
    "simdyn.model.records": "InvalidInput record REGISTRY",
    "simdyn.model.vetting": "ModelWarning",
    "simdyn.simulate.ensemble": "escape_times displacement densities trajectories",
    "simdyn.simulate.setup": "Stationary",
    "simdyn.simulate.results": "Escapes Spread Densities DivergenceWarning InstabilityWarning HeavyTailWarning",
    "simdyn.estimate": "Estimate",
}
_NAMES = {name: module for module, names in _HOME.items() for name in names.split()}
_ROOMS = ("estimate", "exact", "model", "simulate", "study", "theory")

__all__ = sorted(_NAMES)


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        found = getattr(importlib.import_module(_NAMES[name]), name)
        globals()[name] = found
        return found
    if name in _ROOMS:
        return importlib.import_module(f"simdyn.{name}")
    import difflib  # a mistake costs a moment, an import nothing

    near = difflib.get_close_matches(name, [*_NAMES, *_ROOMS], n=1) if not name.startswith("_") else []
    raise AttributeError(
        f"module 'simdyn' has no attribute {name!r}" + (f"; did you mean {near[0]!r}?" if near else "")
    )


def __dir__() -> list[str]:
    return sorted([*globals(), *_NAMES, *_ROOMS])
