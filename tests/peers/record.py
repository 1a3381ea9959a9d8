"""Write tests/data/peers.json: where published optimizers are along the fixed sequence of gradients (``make record-peers``)."""

import json
import sys
import warnings
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent)]

from cases import CASES, follow_peer, version  # noqa: E402
from sequence import STEPS, gradients  # noqa: E402

RECORDED = [1, 2, 3, 4, 5, 6, 8, 10, 20, 50, 100, 160, 200, 400, 600, 900, 1200, 1500, 1800, STEPS]


def main():
    """Record every case anew."""
    warnings.filterwarnings("ignore", message="This overload of add_ is deprecated")
    given, entries = gradients(), []
    for name, (ours, package, optimizer, arguments) in CASES.items():
        path = follow_peer(optimizer, arguments, given)
        entries.append(
            {
                "name": name,
                "peer": f"{package}.{optimizer.__name__}",
                "version": version(package),
                "arguments": arguments,
                "method": type(ours).__name__,
                "fields": ours._asdict(),
                "positions": path[RECORDED].tolist(),
            }
        )
    check = np.cumsum(given, axis=0)[np.array(RECORDED) - 1].tolist()
    document = {"steps": RECORDED, "sum_of_gradients": check, "paths": entries}
    text = json.dumps(document)
    for mark in ('{"name"', '"positions"'):  # one line for what was asked, one for the answer
        text = text.replace(mark, "\n" + mark)
    (HERE.parent / "data" / "peers.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
