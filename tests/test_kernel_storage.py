"""Compiled kernels on disk: loaded only whole, only if nobody else can have written them, and never a reason to fail."""

import os
import pickle
import tempfile
import time
import warnings

import numba
import numpy as np
import pytest

from simdyn import _kernels
from simdyn._jit import JIT_ENABLED, kernel
from simdyn._storage import KernelCacheWarning, kernel_cache_directory, read_private, write_private

pytestmark = pytest.mark.skipif(os.name != "posix", reason="owners and modes are POSIX's")


def doubled(out):
    for i in range(out.size):
        out[i] *= 2.0


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder of kernels of this test alone."""
    monkeypatch.setattr(_kernels, "kernel_cache_directory", lambda: tmp_path)
    monkeypatch.setattr(_kernels, "is_fingerprinted", lambda file: file == __file__)
    return tmp_path


def run_doubled():
    """Call a new dispatcher of the same function; whether its kernel was compiled, not found."""
    again, out = kernel(doubled), np.ones(3)
    with numba.core.event.install_recorder("numba:compile") as compiled:
        again(out)
    assert out.tolist() == [2.0] * 3
    return len(compiled.buffer) > 0


@pytest.mark.skipif(not JIT_ENABLED, reason="nothing is compiled")
def test_a_damaged_kernel_is_told_and_compiled_anew(folder):
    assert run_doubled() and not run_doubled(), "the second finds what the first has kept"
    (path,) = folder.iterdir()
    whole = path.read_bytes()
    for position in (0, 31, 32, 40, len(whole) // 2, len(whole) - 1):
        flipped = bytearray(whole)
        flipped[position] ^= 4
        for data in (whole[:position], bytes(flipped)):
            path.write_bytes(data)
            with pytest.warns(KernelCacheWarning, match=r"nbc is damaged; the kernel is compiled anew$"):
                assert run_doubled()
            assert path.read_bytes()[:32] != data[:32] or path.read_bytes() == whole
            assert not run_doubled(), "it is whole again"


class Payload:
    """Leaves a trace where it is loaded."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return os.mkdir, (self.trace,)


@pytest.mark.skipif(not JIT_ENABLED, reason="nothing is compiled")
def test_a_kernel_that_others_can_write_is_not_loaded(folder):
    run_doubled()
    (path,) = folder.iterdir()
    trace = str(folder / "trace")

    def offer(mode):
        path.unlink()
        write_private(path, pickle.dumps(Payload(trace)))
        path.chmod(mode)

    for mode in (0o606, 0o660):
        offer(mode)
        with pytest.warns(KernelCacheWarning, match=r"nbc can be written by others"):
            assert run_doubled()
        assert not os.path.exists(trace)
    offer(0o600)
    with pytest.warns(KernelCacheWarning, match=r"nbc cannot be loaded \(TypeError\); the kernel is compiled anew$"):
        assert run_doubled()
    assert os.path.exists(trace), "so what was not loaded above would have done something"
    assert not run_doubled()


def test_what_is_no_file_of_the_users_is_not_read(tmp_path, monkeypatch):
    path = tmp_path / "kernel"
    assert read_private(path) is None
    assert write_private(path, b"code") and read_private(path) == b"code" and path.stat().st_mode & 0o777 == 0o600
    other = tmp_path / "another.nbc"
    os.link(path, other)  # whole and private, but of another name
    with pytest.warns(KernelCacheWarning, match="is damaged"):
        assert read_private(other) is None
    other.unlink()
    (tmp_path / "link").symlink_to(path)
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "folder", "pipe"):
        with pytest.warns(KernelCacheWarning, match=f"{name}.*compiled anew$"):
            assert read_private(tmp_path / name) is None
    with pytest.warns(KernelCacheWarning, match="folder: cannot be written: .*"):
        assert not write_private(tmp_path / "folder", b"code")
    assert {place.name for place in tmp_path.iterdir()} == {"kernel", "link", "folder", "pipe"}, "leftovers"
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.warns(KernelCacheWarning, match="belongs to somebody else"):
        assert read_private(path) is None
    monkeypatch.delattr(os, "geteuid")
    assert read_private(path) == b"code", "a system that knows no owners"


@pytest.fixture
def directory_of(tmp_path, monkeypatch):
    """The cache directory of a process whose SIMDYN_CACHE_DIR is given and whose temporary directory is `tmp_path`/spare."""
    (tmp_path / "spare").mkdir(mode=0o777)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "spare"))

    def find(root):
        monkeypatch.setenv("SIMDYN_CACHE_DIR", str(root))
        return kernel_cache_directory.__wrapped__()

    return find


def test_the_folder_is_the_users_own_and_what_else_lies_in_it_does_no_harm(directory_of, tmp_path):
    root, old = tmp_path / "root", time.time() - 365 * 24 * 3600.0
    unused = root / "kernels" / f"{'0' * 16}-machine"
    (unused / "sub").mkdir(parents=True)
    (unused / "kernel.nbc").write_text("")
    for place in (root, root / "kernels"):
        place.chmod(0o700)
    (root / "kernels/a file").write_text("kept")
    (root / "kernels/a folder/sub").mkdir(parents=True)
    for place in (unused, root / "kernels/a file", root / "kernels/a folder"):
        os.utime(place, (old, old))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = directory_of(root)
        for name in (".unfinished-old", ".unfinished-new"):
            (found / name).write_text("")
        os.utime(found / ".unfinished-old", (old, old))
        assert found == directory_of(root) and found.parent == root / "kernels"
    assert [place.name for place in found.iterdir()] == [".unfinished-new"]
    assert found.stat().st_mode & 0o777 == 0o700
    assert {place.name for place in found.parent.iterdir()} == {"a file", "a folder", found.name}
    assert not list((tmp_path / "spare").iterdir()), "a temporary folder for nothing"


def test_a_folder_that_cannot_be_used_is_told_once_and_replaced_by_one_that_is_used_again(directory_of, tmp_path):
    def spoilt(name, mode=0o700):
        (tmp_path / name).mkdir()
        (tmp_path / name).chmod(mode)
        return tmp_path / name

    (tmp_path / "a file").write_text("")
    (spoilt("stray") / "kernels").write_text("")
    (spoilt("inside") / "kernels").mkdir()
    (tmp_path / "inside/kernels").chmod(0o777)
    spare = tmp_path / "spare" / f"simdyn-{os.geteuid()}"
    for root, reason in [
        (tmp_path / "a file", "a file: File exists"),
        (tmp_path / "a file/below", "a file: File exists"),
        (tmp_path / "stray", "kernels: File exists"),
        (spoilt("shared", 0o770), r"shared can be written by others \(chmod go-w\)"),
        (spoilt("everybody's", 0o707), r"can be written by others \(chmod go-w\)"),
        (tmp_path / "inside", r"inside/kernels can be written by others \(chmod go-w\)"),
    ]:
        with pytest.warns(KernelCacheWarning, match=f"{reason}; they are kept in {spare}$") as told:
            found = directory_of(root)
        assert len(told) == 1 and spare in found.parents and spare.stat().st_mode & 0o777 == 0o700
    assert len(list(spare.iterdir())) == len(list((tmp_path / "spare").iterdir())) == 1


def test_somebody_elses_folder_is_not_used_nor_his_link(directory_of, tmp_path, monkeypatch):
    spare = tmp_path / "spare" / f"simdyn-{os.geteuid()}"
    (tmp_path / "mine").mkdir(mode=0o700)
    spare.symlink_to(tmp_path / "mine")
    (tmp_path / "a file").write_text("")
    with pytest.warns(KernelCacheWarning, match="none are kept, and every process compiles its own$"):
        assert directory_of(tmp_path / "a file") is None
    assert not list((tmp_path / "mine").iterdir())
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.warns(KernelCacheWarning, match="mine belongs to somebody else; none are kept"):
        assert directory_of(tmp_path / "mine") is None


def test_without_a_folder_kernels_are_compiled_and_none_is_kept(folder, monkeypatch):
    monkeypatch.setattr(_kernels, "kernel_cache_directory", lambda: None)
    assert run_doubled() == run_doubled() == JIT_ENABLED
