"""The house rules: who imports whom, what a plain import costs, how long a file may be."""

import ast
from pathlib import Path

import pytest

import simdyn as sd

PACKAGE = Path(sd.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))

# room -> the rooms it may import besides itself; a room that does not exist yet asks for nothing
MAY_IMPORT = {
    "__init__": set(),
    "_sources": set(),
    "_storage": {"_sources"},
    "_kernels": {"_sources", "_storage", "_compilers"},
    "_compilers": set(),
    "_surroundings": {"_sources"},
    "_jit": {"_sources", "_surroundings", "_kernels", "_compilers"},
    "_bits": {"_jit"},
    "estimate": set(),
    "model": {"_jit", "_bits"},
    "theory": {"model"},
    "exact": {"model", "_jit"},
    "simulate": {"model", "estimate", "_jit", "_bits"},
    "study": {"simulate", "estimate", "theory", "exact", "model", "_jit", "_sources", "_surroundings"},
    "cli": {"study"},
    "__main__": {"cli"},
}
COMPILERS = {"numba", "llvmlite"}


def room_of(module):
    """The room of a dotted name inside the package: simdyn.model.noise is of model."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def module_of(path):
    return ".".join(["simdyn", *path.relative_to(PACKAGE).with_suffix("").parts])


def imported(source, module):
    """Dotted names a source imports anywhere, functions included; names taken from the package's front are resolved."""
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = module.split(".")[: -node.level] if node.level else []
            origin = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                if origin == "simdyn":  # a public name, a room, or something of the front itself
                    names.append(
                        sd._NAMES.get(alias.name, f"simdyn.{alias.name}" if alias.name in MAY_IMPORT else origin)
                    )
                else:
                    names.append(f"{origin}.{alias.name}")
    return names


def trespasses(source, module):
    """Imports of a source that its room is not allowed."""
    room = room_of(module)
    allowed = MAY_IMPORT[room] | {room, "__init__"}
    return [
        name for name in imported(source, module) if name.split(".")[0] == "simdyn" and room_of(name) not in allowed
    ]


def outsiders(source, module):
    """First parts of the names a source imports from outside the package."""
    return {name.split(".")[0] for name in imported(source, module)} - {"simdyn"}


def identify(path):
    return path.relative_to(PACKAGE).as_posix()


@pytest.mark.parametrize("path", FILES, ids=identify)
def test_rooms_import_only_what_the_table_allows(path):
    module = module_of(path)
    assert room_of(module) in MAY_IMPORT, f"{path} is in no known room"
    source = path.read_text()
    assert not trespasses(source, module)
    for node in ast.walk(ast.parse(source)):  # `import simdyn` reaches every room unseen: for the room that may see all
        if isinstance(node, ast.Import) and room_of(module) != "study":
            assert "simdyn" not in [alias.name for alias in node.names]


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("simdyn.theory.escape", "from simdyn.simulate.ensemble import escape_times"),
        ("simdyn.theory.escape", "from simdyn import escape_times"),
        ("simdyn.theory.escape", "from simdyn import exact"),
        ("simdyn.theory.escape", "def f():\n    import simdyn.exact.chain"),
        ("simdyn.theory.escape", "from ..simulate import engine"),
        ("simdyn.estimate.lines", "from simdyn.model.records import InvalidInput"),
        ("simdyn.model.noise", "from simdyn.simulate import rng"),
        ("simdyn.simulate.engine", "import simdyn.study"),
        ("simdyn.cli", "from simdyn.simulate.ensemble import escape_times"),
    ],
)
def test_a_trespass_is_seen(module, source):
    assert trespasses(source, module)


def test_numba_is_known_in_four_files():
    users = [identify(path) for path in FILES if outsiders(path.read_text(), module_of(path)) & COMPILERS]
    assert users == ["_bits.py", "_compilers.py", "_jit.py", "_kernels.py"]


def test_matplotlib_is_imported_in_one_file_at_most():
    users = [identify(path) for path in FILES if "matplotlib" in outsiders(path.read_text(), module_of(path))]
    assert len(users) <= 1, users


def test_the_table_is_independent_where_evidence_needs_it():
    """Theory, exact answers and simulation never see each other, through any chain of rooms."""

    def reached(room):
        found = set()
        while room_set := {other for one in found | {room} for other in MAY_IMPORT[one]} - found:
            found |= room_set
        return found

    assert not reached("theory") & {"exact", "simulate"} and not reached("exact") & {"theory", "simulate"}
    assert not reached("simulate") & {"theory", "exact"}


@pytest.mark.parametrize("path", FILES, ids=identify)
def test_a_file_is_finished_in_one_sitting(path):
    assert len(path.read_text().splitlines()) <= 400


@pytest.mark.parametrize("name", sd.__all__)
def test_public_names_resolve_and_say_what_they_are(name):
    thing = getattr(sd, name)
    if callable(thing):
        text = thing.__doc__ or ""
        assert text.strip() and not text.startswith(f"{name}("), f"{name} has no docstring of its own"


def test_every_file_says_what_it_is_for():
    silent = [
        identify(path)
        for path in FILES
        if path.read_text().strip() and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert not silent


def test_a_name_that_does_not_exist_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'escape_time'"):
        _ = sd.escape_time
    assert set(sd.__all__) <= set(dir(sd))


def test_a_plain_import_costs_nothing(run_python):
    program = "import sys, simdyn; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    loaded = set(run_python(program).split())
    assert "simdyn" in loaded and not loaded & {*COMPILERS, "numpy", "scipy", "matplotlib", "rich", "pydantic", "click"}


def test_names_are_loaded_on_first_use_and_kept(run_python):
    program = "import sys, simdyn; simdyn.InvalidInput; print('numpy' in sys.modules, 'InvalidInput' in vars(simdyn))"
    assert run_python(program).split() == ["False", "True"]
