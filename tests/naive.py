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


def weight_of_zero(m):
    """Of an average that begins with m: 1 where that is zero, which a bias correction takes out, 0 where it was given."""
    return 0.0 if np.any(np.asarray(m) != 0) else 1.0


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
    path, zero = [np.array(start, dtype=float)], weight_of_zero(m)
    for t, z in enumerate(normals, start=age + 1):
        x = path[-1]
        g = gradient(x) + kick(x, z)
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m_hat, v_hat = m / (1 - zero * beta1**t), v / (1 - beta2**t)
        root = np.sqrt(v_hat + eps) if eps_inside_root else np.sqrt(v_hat) + eps
        path.append(x - learning_rate * m_hat / root)
    return np.array(path)


def adai(gradient, kick, start, normals, learning_rate, beta0, beta2, eps, m=0.0, v=0.0, age=0, product=None):
    path = [np.array(start, dtype=float)]
    product = weight_of_zero(m) if product is None else product
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


def adamw(
    gradient, kick, start, normals, learning_rate, beta1, beta2, eps, weight_decay, decay_times_rate, eps_inside_root,
    m=0.0, v=0.0, age=0
):  # fmt: skip
    path, zero = [np.array(start, dtype=float)], weight_of_zero(m)
    for t, z in enumerate(normals, start=age + 1):
        x = path[-1]
        g = gradient(x) + kick(x, z)
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m_hat, v_hat = m / (1 - zero * beta1**t), v / (1 - beta2**t)
        root = np.sqrt(v_hat + eps) if eps_inside_root else np.sqrt(v_hat) + eps
        decayed = x - (learning_rate * weight_decay if decay_times_rate else weight_decay) * x
        path.append(decayed - learning_rate * m_hat / root)
    return np.array(path)


def amsgrad(
    gradient,
    kick,
    start,
    normals,
    learning_rate,
    beta1,
    beta2,
    eps,
    corrected,
    corrected_first,
    m=0.0,
    v=0.0,
    v_max=0.0,
):
    path, zero = [np.array(start, dtype=float)], weight_of_zero(m)
    for t, z in enumerate(normals, start=1):
        x = path[-1]
        g = gradient(x) + kick(x, z)
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        bias1, bias2 = (1 - zero * beta1**t, 1 - beta2**t) if corrected else (1.0, 1.0)
        if corrected_first:
            v_max = used = np.maximum(v_max, v / bias2)
        else:
            v_max = np.maximum(v_max, v)
            used = v_max / bias2
        path.append(x - learning_rate * (m / bias1) / (np.sqrt(used) + eps))
    return np.array(path)


def padam(
    gradient, kick, start, normals, learning_rate, beta1, beta2, power, eps, keep_highest, corrected, corrected_as_adam,
    m=0.0, v=0.0, v_max=0.0, age=0
):  # fmt: skip
    path, zero = [np.array(start, dtype=float)], weight_of_zero(m)
    for t, z in enumerate(normals, start=age + 1):
        x = path[-1]
        g = gradient(x) + kick(x, z)
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        v_max = np.maximum(v_max, v) if keep_highest else v
        bias1, bias2 = (1 - zero * beta1**t, 1 - beta2**t) if corrected else (1.0, 1.0)
        if corrected and corrected_as_adam:
            path.append(x - learning_rate * np.sqrt(bias2) / bias1 * m / (np.sqrt(v_max) + eps) ** (2 * power))
        else:
            path.append(x - learning_rate * (m / bias1) / (np.sqrt(v_max / bias2) + eps) ** (2 * power))
    return np.array(path)


def adabound(
    gradient, kick, start, normals, learning_rate, final_rate, gamma, beta1, beta2, eps, corrected, m=0.0, v=0.0, age=0
):
    path, zero = [np.array(start, dtype=float)], weight_of_zero(m)
    for t, z in enumerate(normals, start=age + 1):
        x = path[-1]
        g = gradient(x) + kick(x, z)
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        rate = learning_rate * math.sqrt(1 - beta2**t) / (1 - zero * beta1**t) if corrected else learning_rate
        low, high = final_rate - final_rate / (gamma * t + 1), final_rate + final_rate / (gamma * t)
        path.append(x - np.clip(rate / (np.sqrt(v) + eps), low, high) * m)
    return np.array(path)


def yogi(gradient, kick, start, normals, learning_rate, beta1, beta2, eps, initial, corrected, m=0.0, v=None, age=0):
    path = [np.array(start, dtype=float)]
    zero = weight_of_zero(m)
    m = m + zero * initial
    if v is None and initial > 0:
        v = initial
    for t, z in enumerate(normals, start=age + 1):
        x = path[-1]
        g = gradient(x) + kick(x, z)
        m = beta1 * m + (1 - beta1) * g
        v = g**2 if v is None else v
        v = v - (1 - beta2) * np.sign(v - g**2) * g**2
        m_hat = m / (1 - zero * beta1**t) if corrected else m
        v_hat = v / (1 - beta2**t) if corrected and initial > 0 else v
        path.append(x - learning_rate * m_hat / (np.sqrt(v_hat) + eps))
    return np.array(path)


def radam(
    gradient, kick, start, normals, learning_rate, beta1, beta2, eps, threshold, rest_before, m=0.0, v=0.0, age=0
):
    path = [np.array(start, dtype=float)]
    zero = weight_of_zero(m)
    longest = 2 / (1 - beta2) - 1
    for t, z in enumerate(normals, start=age + 1):
        x = path[-1]
        g = gradient(x) + kick(x, z)
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m_hat = m / (1 - zero * beta1**t)
        length = longest - 2 * t * beta2**t / (1 - beta2**t)
        if length > threshold:
            numerator, denominator = (length - 4) * (length - 2) * longest, (longest - 4) * (longest - 2) * length
            adaptive = np.sqrt(1 - beta2**t) / (np.sqrt(v) + eps)
            path.append(x - learning_rate * math.sqrt(numerator / denominator) * m_hat * adaptive)
        else:
            path.append(x if rest_before else x - learning_rate * m_hat)
    return np.array(path)


def rmsprop(gradient, kick, start, normals, learning_rate, beta2, eps, eps_inside_root, v=0.0):
    path = [np.array(start, dtype=float)]
    for z in normals:
        x = path[-1]
        g = gradient(x) + kick(x, z)
        v = beta2 * v + (1 - beta2) * g**2
        path.append(x - learning_rate * g / (np.sqrt(v + eps) if eps_inside_root else np.sqrt(v) + eps))
    return np.array(path)


def signsgd(gradient, kick, start, normals, learning_rate, beta1, m=0.0):
    path = [np.array(start, dtype=float)]
    for z in normals:
        x = path[-1]
        m = beta1 * m + (1 - beta1) * (gradient(x) + kick(x, z))
        path.append(x - learning_rate * np.sign(m))
    return np.array(path)


def nesterov(gradient, kick, start, normals, learning_rate, beta1, beta3, m=0.0):
    """As Sutskever et al. write it: the gradient is taken where momentum alone would lead, and that point is the path."""
    ahead = np.array(start, dtype=float)
    velocity = -learning_rate * np.asarray(m)
    behind, path = ahead - beta1 * velocity, [ahead]
    for z in normals:
        velocity = beta1 * velocity - learning_rate * beta3 * (gradient(path[-1]) + kick(path[-1], z))
        behind = behind + velocity
        path.append(behind + beta1 * velocity)
    return np.array(path)


def adaiw(gradient, kick, start, normals, learning_rate, beta0, beta2, eps, weight_decay, **memory):
    return adai_general(
        gradient, kick, start, normals, learning_rate, beta0, beta2, eps, 1.0, weight_decay=weight_decay, **memory
    )


def adai_general(
    gradient, kick, start, normals, learning_rate, beta0, beta2, eps, dampening,
    weight_decay=0.0, m=0.0, v=0.0, age=0, product=None
):  # fmt: skip
    path = [np.array(start, dtype=float)]
    product = weight_of_zero(m) if product is None else product
    for t, z in enumerate(normals, start=age + 1):
        x = path[-1]
        g = gradient(x) + kick(x, z)
        v = beta2 * v + (1 - beta2) * g**2
        v_hat = v / (1 - beta2**t)
        mu = np.clip(1 - beta0 * (v_hat / np.mean(v_hat)) ** (1 / (3 - 2 * dampening)), 0, 1 - eps)
        m = mu * m + (1 - mu) ** dampening * g
        product = product * mu
        decayed = x * (1 - learning_rate * weight_decay)
        path.append(decayed - learning_rate * beta0 ** (1 - dampening) * m / (1 - product))
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


RULES = {
    "SGD": sgd,
    "Momentum": momentum,
    "Nesterov": nesterov,
    "SignSGD": signsgd,
    "RMSProp": rmsprop,
    "Adam": adam,
    "AdamW": adamw,
    "AMSGrad": amsgrad,
    "Padam": padam,
    "AdaBound": adabound,
    "Yogi": yogi,
    "RAdam": radam,
    "Adai": adai,
    "AdaiW": adaiw,
    "AdaiV2": adai_general,
    "Overdamped": euler_maruyama,
    "Inertial": baoab,
}


# ------------------------------------------------------------------------- heavy-tailed kicks, of a stream's words


def near_the_end(words):
    """A uniform number below 2^-19, from as many words as it takes: each with 19 zeros in front makes it as much smaller."""
    scale = 1
    for word in words:
        scale *= 2**19
        if word >= 2**45:
            return ((word >> 12) + 0.5) / 2**52 / scale


def student(words, degrees):
    """Student's t of the next word, and of further ones where U is close to 0: Bailey's polar method."""
    word = next(words)
    u = near_the_end(words) if word < 2**45 else ((word >> 32) | 1) / 2**32
    low = word % 2**32
    turn = math.pi / 2 * (low - 2**32 * (low >= 2**31)) / 2**31
    sign = -1 if word >> 32 & 1 else 1
    return sign * math.sqrt(degrees * math.expm1(-2 / degrees * math.log(u))) * math.cos(turn)


def stable(words, alpha):
    """Chambers, Mallows and Stuck's variate of the next word, and of more where the angle is next to a quarter turn or W to 0."""
    word = next(words)
    high, low = word >> 32, word % 2**32
    gap = near_the_end(words) if low >= 2**32 - 2**13 else 1 - (low | 1) / 2**32
    w = -math.log1p(-near_the_end(words)) if high >= 2**32 - 2**13 else -math.log((high | 1) / 2**32)
    v, cosine = math.pi / 2 * (1 - gap), math.sin(math.pi / 2 * gap)
    sign = -1 if high & 1 else 1
    return sign * math.sin(alpha * v) / cosine ** (1 / alpha) * (math.cos((1 - alpha) * v) / w) ** ((1 - alpha) / alpha)


def first_passage(path, beyond):
    """First step (1 is the first update) at whose end `beyond(x)` holds, or None."""
    for step, x in enumerate(path):
        if step > 0 and beyond(x):
            return step
    return None
