"""Finished cells on disk: whole or not at all, damage seen, leftovers harmless."""

import errno
import os

import pytest
from study_tools import ESCAPE, changed, study_of

from simdyn.model.records import InvalidInput
from simdyn.study import run as study_run
from simdyn.study.cells import digest, expand
from simdyn.study.store import Store, write_whole

KEY = digest("a key")


def only_file(folder):
    (path,) = [path for path in folder.rglob("*") if path.is_file()]
    return path


def test_what_is_put_is_got(tmp_path):
    store = Store(tmp_path)
    content = {"value": 0.1, "list": [1, 2.5, None], "word": "Größe"}
    assert store.get(KEY) is None
    store.put(KEY, content)
    assert store.get(KEY) == content and not store.damaged
    assert Store(tmp_path).get(digest("another key")) is None


def half(data):
    return data[: len(data) // 2]


def flip(data):
    return data[:80] + bytes([data[80] ^ 1]) + data[81:]


@pytest.mark.parametrize(
    "spoil",
    [half, flip, lambda data: b"", lambda data: data[:64], lambda data: os.urandom(100), lambda data: data + b" ",
     lambda data: b"\xff\xfe" * 40, lambda data: b'{"value": 1.0}', lambda data: b"\0" * len(data)],
    ids=["half", "flipped bit", "empty", "checksum only", "random", "longer", "not text", "no checksum", "zeros"],
)  # fmt: skip
def test_a_damaged_cell_is_seen_and_can_be_put_again(tmp_path, spoil):
    store = Store(tmp_path)
    store.put(KEY, {"value": 1.0, "list": list(range(40))})
    path = only_file(tmp_path)
    path.write_bytes(spoil(path.read_bytes()))
    assert store.get(KEY) is None and store.damaged == [KEY]
    store.put(KEY, {"value": 2.0})
    assert Store(tmp_path).get(KEY) == {"value": 2.0}


def test_the_content_of_another_cell_is_seen(tmp_path):
    store = Store(tmp_path)
    store.put(other := digest("another key"), {"value": 2.0})
    content = only_file(tmp_path).read_bytes()
    store.put(KEY, {"value": 1.0})
    store._path(KEY).write_bytes(content)
    assert store.get(KEY) is None and store.damaged == [KEY] and store.get(other) == {"value": 2.0}


def test_leftovers_of_a_killed_writer_do_no_harm(tmp_path):
    store = Store(tmp_path)
    store.put(KEY, 1)
    (only_file(tmp_path).parent / ".unfinished-x").write_bytes(b"half a ce")
    assert store.get(KEY) == 1
    store.put(KEY, 2)
    assert store.get(KEY) == 2 and not store.damaged


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_content_and_no_leftovers(tmp_path, monkeypatch, step):
    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "table.csv"
    write_whole(path, "old")
    monkeypatch.setattr(os, step, full)
    with pytest.raises(InvalidInput, match=r"table.csv: cannot be written: No space left on device$"):
        write_whole(path, "new")
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_the_longest_name_the_system_allows_can_be_written(tmp_path):
    path = tmp_path / ("n" * 250 + ".csv")
    write_whole(path, "x")
    assert path.read_text() == "x"


def keys_of(table):
    return {study_run.cell_key(cell) for cell in expand("test", study_of(table))}


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("ensemble/seed", 2),
        ("ensemble/particles", 65),
        ("ensemble/max_steps", 999),
        ("ensemble/exit", 0.5),
        ("ensemble/start", -1.1),
        ("noise/batch_size", 1.1),
        ("landscape/landscape/barrier", 1.1),
        ("series/0/dynamics/learning_rate", 0.04),
        ("series/0/dynamics", {"kind": "Momentum", "learning_rate": 0.05, "beta1": 0.0, "beta3": 1.0}),
    ],
)
def test_whatever_determines_a_cell_is_in_its_key(place, value):
    assert not keys_of(ESCAPE) & keys_of(changed(ESCAPE, place, value))


@pytest.mark.parametrize(
    ("place", "value"),
    [("title", "another"), ("series/0/name", "SGD too"), ("claims/0/tolerance", 0.3), ("ensemble/start", "minimum")],
)
def test_words_and_rules_are_not_in_a_cells_key(place, value):
    table = changed(ESCAPE, "claims/0/series", "SGD too") if place == "series/0/name" else ESCAPE
    assert keys_of(ESCAPE) == keys_of(changed(table, place, value))


def test_a_changed_sweep_value_changes_one_key():
    sweep = [1.0, 1.2, 1.5, 1.9, 2.6]
    other = keys_of(changed(ESCAPE, "series/0/sweep", {"landscape.sharpness": sweep}))
    assert len(keys_of(ESCAPE) - other) == len(other - keys_of(ESCAPE)) == 1


@pytest.mark.parametrize("change", ["physics_fingerprint", "_sources"])
def test_source_is_in_every_key(monkeypatch, change):
    before = keys_of(ESCAPE)
    monkeypatch.setattr(study_run, change, lambda *places: "other source")
    assert not before & keys_of(ESCAPE)
