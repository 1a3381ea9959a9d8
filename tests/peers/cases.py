"""Our methods and the published implementations they should agree with, fed the same gradients."""

import importlib.metadata

import adabound
import jax
import numpy as np
import optax
import pytorch_optimizer
import torch
from sequence import START

import simdyn as sd

jax.config.update("jax_enable_x64", True)

# name -> (our method, package, its class, its arguments)
CASES = {
    "SGD": (sd.SGD(0.01), "torch", torch.optim.SGD, {"lr": 0.01}),
    "Momentum": (sd.Momentum(0.01), "torch", torch.optim.SGD, {"lr": 0.01, "momentum": 0.9}),
    "Nesterov": (sd.Nesterov(0.01), "torch", torch.optim.SGD, {"lr": 0.01, "momentum": 0.9, "nesterov": True}),
    "RMSProp": (sd.RMSProp(0.01), "torch", torch.optim.RMSprop, {"lr": 0.01}),
    "Adam": (sd.Adam(0.01), "torch", torch.optim.Adam, {"lr": 0.01}),
    "AdamW": (sd.AdamW(0.01, weight_decay=0.5), "torch", torch.optim.AdamW, {"lr": 0.01, "weight_decay": 0.5}),
    "AMSGrad": (sd.AMSGrad(0.01), "torch", torch.optim.Adam, {"lr": 0.01, "amsgrad": True}),
    "AMSGrad, corrected first": (
        sd.AMSGrad(0.01, corrected_first=True),
        "optax",
        optax.amsgrad,
        {"learning_rate": 0.01},
    ),
    "Adam, eps inside": (
        sd.Adam(0.01, eps=0.1, eps_inside_root=True),
        "optax",
        optax.adam,
        {"learning_rate": 0.01, "eps": 0.0, "eps_root": 0.1},
    ),
    "RMSProp, eps inside": (
        sd.RMSProp(0.01, 0.9, 0.1, True),
        "optax",
        optax.rmsprop,
        {"learning_rate": 0.01, "decay": 0.9, "eps": 0.1},
    ),
    "RAdam, threshold 5": (sd.RAdam(0.01, threshold=5.0), "torch", torch.optim.RAdam, {"lr": 0.01}),
    "RAdam, resting before": (
        sd.RAdam(0.01, threshold=5.0, rest_before=True),
        "pytorch_optimizer",
        pytorch_optimizer.RAdam,
        {"lr": 0.01},
    ),
    "RAdam": (
        sd.RAdam(0.01),
        "pytorch_optimizer",
        pytorch_optimizer.RAdam,
        {"lr": 0.01, "n_sma_threshold": 4, "degenerated_to_sgd": True},
    ),
    "AdaBound": (
        sd.AdaBound(0.01, 0.02, 0.01),
        "adabound",
        adabound.AdaBound,
        {"lr": 0.01, "final_lr": 0.02, "gamma": 0.01},
    ),
    "Padam, as packages": (
        sd.Padam(0.01, power=0.125, keep_highest=False, corrected_as_adam=True),
        "pytorch_optimizer",
        pytorch_optimizer.PAdam,
        {"lr": 0.01, "partial": 0.125},
    ),
    "Padam, third root": (
        sd.Padam(0.01, 0.8, 0.99, 1 / 3, 0.1, keep_highest=False, corrected_as_adam=True),
        "pytorch_optimizer",
        pytorch_optimizer.PAdam,
        {"lr": 0.01, "betas": (0.8, 0.99), "partial": 1 / 3, "eps": 0.1},
    ),
    "Padam, half": (sd.Padam(0.01, power=0.5), "torch", torch.optim.Adam, {"lr": 0.01, "amsgrad": True}),
    "Yogi, as packages": (
        sd.Yogi(0.01, initial=1e-6, corrected=True),
        "pytorch_optimizer",
        pytorch_optimizer.Yogi,
        {"lr": 0.01},
    ),
    "Yogi, once more": (sd.Yogi(0.01, initial=1e-6, corrected=True), "optax", optax.yogi, {"learning_rate": 0.01}),
    "SignSGD": (sd.SignSGD(0.01), "pytorch_optimizer", pytorch_optimizer.SignSGD, {"lr": 0.01, "momentum": 0.0}),
    "SignSGD, momentum": (
        sd.SignSGD(0.01, 0.9),
        "pytorch_optimizer",
        pytorch_optimizer.SignSGD,
        {"lr": 0.01, "momentum": 0.9},
    ),
    "Adai": (sd.Adai(0.1), "pytorch_optimizer", pytorch_optimizer.Adai, {"lr": 0.1}),
    "AdaiW": (
        sd.AdaiW(0.1, weight_decay=0.05),
        "pytorch_optimizer",
        pytorch_optimizer.Adai,
        {"lr": 0.1, "weight_decay": 0.05, "weight_decouple": True},
    ),
    "AdaiV2": (
        sd.AdaiV2(0.1, dampening=0.5),
        "pytorch_optimizer",
        pytorch_optimizer.Adai,
        {"lr": 0.1, "dampening": 0.5},
    ),
    "AdaiV2, undamped": (
        sd.AdaiV2(0.1, 0.2, 0.9, dampening=0.0),
        "pytorch_optimizer",
        pytorch_optimizer.Adai,
        {"lr": 0.1, "betas": (0.2, 0.9), "dampening": 0.0},
    ),
}


def version(package):
    """The version of an installed package."""
    return importlib.metadata.version(package)


def follow_peer(optimizer, arguments, gradients):
    """The path, (steps + 1, 2), start included, of a published optimizer in float64."""
    if not isinstance(optimizer, type):
        return _follow_transformation(optimizer(**arguments), gradients)
    point = torch.nn.Parameter(torch.tensor(START, dtype=torch.float64))
    peer = optimizer([point], **arguments)
    path = [np.array(START)]
    for gradient in gradients:
        point.grad = torch.tensor(gradient, dtype=torch.float64)
        peer.step()
        path.append(point.detach().numpy().copy())
    return np.array(path)


def _follow_transformation(optimizer, gradients):
    point = jax.numpy.array(START)
    state, update, path = optimizer.init(point), jax.jit(optimizer.update), [np.array(START)]
    for gradient in gradients:
        change, state = update(jax.numpy.array(gradient), state, point)
        point = optax.apply_updates(point, change)
        path.append(np.array(point))
    return np.array(path)
