"""A slow, obvious twin of the engine, written from the rules of the methods and not from the engine's code.

Every method takes `gradient(x)` and `kick(x, z)`, functions of a whole point (d,), a start (d,) and the standard normals it
is to use, (steps, d); it returns the path, (steps + 1, d), the start included. Bias corrections, averages over coordinates
and square roots stand where the rules have them.
"""

import math

import numpy as np


def in_order_of_use(stream, dimension):
    """A particle's stream of normals, (count,), as (steps, d): one draw per coordinate serves a pair of steps."""
    pairs = len(stream) // (2 * dimension)
    return stream[: 2 * dimension * pairs].reshape(pairs, dimension, 2).transpose(0, 2, 1).reshape(-1, dimension)


def sgd(gradient, kick, start, normals, learning_rate):
    path = [np.array(start, dtype=float)]
    for z in normals:
        x = path[-1]
        path.append(x - learning_rate * (gradient(x) + kick(x, z)))
    return np.array(path)


def momentum(gradient, kick, start, normals, learning_rate, beta1, beta3, m=0.0):
    path = [np.array(start, dtype=float)]
    for z in normals:
        x = path[-1]
        m = beta1 * m + beta3 * (gradient(x) + kick(x, z))
        path.append(x - learning_rate * m)
    return np.array(path)


def adam(gradient, kick, start, normals, learning_rate, beta1, beta2, eps, eps_inside_root, m=0.0, v=0.0, age=0):
    path = [np.array(start, dtype=float)]
    for t, z in enumerate(normals, start=age + 1):
        x = path[-1]
        g = gradient(x) + kick(x, z)
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
        root = np.sqrt(v_hat + eps) if eps_inside_root else np.sqrt(v_hat) + eps
        path.append(x - learning_rate * m_hat / root)
    return np.array(path)


def adai(gradient, kick, start, normals, learning_rate, beta0, beta2, eps, m=0.0, v=0.0, age=0, product=1.0):
    path = [np.array(start, dtype=float)]
    for t, z in enumerate(normals, start=age + 1):
        x = path[-1]
        g = gradient(x) + kick(x, z)
        v = beta2 * v + (1 - beta2) * g**2
        v_hat = v / (1 - beta2**t)
        mu = np.clip(1 - beta0 / np.mean(v_hat) * v_hat, 0, 1 - eps)
        m = mu * m + (1 - mu) * g
        product = product * mu
        path.append(x - learning_rate * m / (1 - product))
    return np.array(path)


def euler_maruyama(gradient, kick, start, normals, dt):
    """d theta = -grad L dt + (2D)^(1/2) dW, `kick` being (2D)^(1/2) z."""
    path = [np.array(start, dtype=float)]
    for z in normals:
        x = path[-1]
        path.append(x - gradient(x) * dt + kick(x, z) * math.sqrt(dt))
    return np.array(path)


def baoab(gradient, kick, start, normals, dt, mass, damping, p=0.0):
    """M dr = -gamma M r dt - grad L dt + (2D)^(1/2) dW: half kick, half drift, friction and noise, half drift, half kick."""
    path, r = [np.array(start, dtype=float)], p / mass
    for z in normals:
        x = path[-1]
        noise = kick(x, z)  # known before the step
        r = r - dt / 2 * gradient(x) / mass
        x = x + dt / 2 * r
        decay = math.exp(-damping * dt)
        # The stationary velocity has variance D/(gamma M^2), and `noise` has variance 2D.
        r = decay * r + math.sqrt(1 - decay**2) * noise / (mass * math.sqrt(2 * damping))
        x = x + dt / 2 * r
        r = r - dt / 2 * gradient(x) / mass
        path.append(x)
    return np.array(path)


RULES = {"SGD": sgd, "Momentum": momentum, "Adam": adam, "Adai": adai, "Overdamped": euler_maruyama, "Inertial": baoab}


def first_passage(path, beyond):
    """First step (1 is the first update) at whose end `beyond(x)` holds, or None."""
    for step, x in enumerate(path):
        if step > 0 and beyond(x):
            return step
    return None
