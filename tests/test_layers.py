"""Layer order of the modules: imports point downward, also those inside functions; no cycles; few floors."""

import ast
from collections import defaultdict
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]

LAYERS = (
    ("rtgain.errors", "rtgain.number_format", "rtgain.version"),
    ("rtgain.system",),
    ("rtgain.config",),
    ("rtgain.records",),
    ("rtgain.listening",),
    ("rtgain.audio", "rtgain.dsp"),
    ("rtgain.metering",),
    ("rtgain.output",),
    ("rtgain.estimation",),
    ("rtgain.session",),
    ("rtgain.match", "rtgain.lessons"),
    ("rtgain.bench",),
    ("rtgain.cli", "gui"),
    ("rtgain.__main__",),
)
"""Lowest first. A package imports from itself and from layers below; packages of one layer do not see each other."""

UPWARD = {
    ("rtgain.cli.main", "gui.app"): "launcher of the desktop app",
    ("rtgain.bench.callback_process", "gui.app"): "measures the whole program",
    ("rtgain.bench.gui_process", "gui.app"): "measures the whole program",
    ("rtgain.bench.gui_process", "gui.main_window"): "measures the whole program",
    ("rtgain.bench.gui_process", "rtgain.cli.main"): "measures the whole program",
    ("rtgain.dsp.fit", "rtgain.output.figures"): "FitHistory.plot in notebooks; matplotlib is loaded on demand",
    ("rtgain.dsp.fit", "rtgain.output.animation"): "type of FitHistory.animate",
    (
        "rtgain.dsp.fit",
        "rtgain.output.descent_plots",
    ): "FitHistory.animate in notebooks; matplotlib is loaded on demand",
}
"""Imports that point upward, each inside a function, with the reason."""

MAX_FLOORS = 12
"""Longest chain of imports at module level."""

MAX_ROOT_MODULES = 5


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for folder in ("rtgain", "gui") for path in (ROOT / folder).rglob("*.py")}


def imported(node: ast.AST) -> set[str]:
    """Full names of what an import statement imports: modules where they are ours, and packages of others."""
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    if isinstance(node, ast.ImportFrom) and node.module:
        names = {f"{node.module}.{alias.name}" for alias in node.names}
        return {name if name in MODULES else node.module for name in names}
    return set()


@cache
def imports(module: str, *, module_level: bool = False) -> frozenset[str]:
    """Imports of a module: all in the file, or those that run when it is imported."""
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    nodes = tree.body if module_level else list(ast.walk(tree))
    return frozenset(set().union(*map(imported, nodes)) - {module})


def layer(module: str) -> int | None:
    """Index in `LAYERS`; None for modules of the root that only offer the public API."""
    for index, packages in enumerate(LAYERS):
        if package(module) in packages:
            return index
    return None


def package(module: str) -> str:
    names = {name for packages in LAYERS for name in packages}
    return max((name for name in names if f"{module}.".startswith(f"{name}.")), key=len, default="")


def reachable(module: str, *, module_level: bool) -> set[str]:
    """Everything that importing a module imports, directly or through others."""
    found: set[str] = set()
    queue = [module]
    while queue:
        new = imports(queue.pop(), module_level=module_level) - found
        found |= new
        queue += new & MODULES.keys()
    return found


def test_every_module_belongs_to_a_layer():
    assert {module for module in MODULES if layer(module) is None} == {"rtgain"}


def test_imports_point_downward_also_inside_functions():
    upward = {
        (module, other)
        for module in MODULES
        for other in imports(module) & MODULES.keys()
        if None not in (layer(module), layer(other))
        and package(module) != package(other)
        and layer(other) >= layer(module)
    }
    assert upward == set(UPWARD)


def test_upward_imports_run_only_on_demand():
    assert [pair for pair in UPWARD if pair[1] in imports(pair[0], module_level=True)] == []


def test_no_import_cycle_not_even_inside_functions_or_for_type_checking():
    state: dict[str, int] = defaultdict(int)
    cycles: list[list[str]] = []

    def visit(module: str, path: list[str]) -> None:
        state[module] = 1
        for other in sorted(imports(module) & MODULES.keys()):
            if state[other] == 1:
                cycles.append([*path[path.index(other) :], other])
            elif state[other] == 0:
                visit(other, [*path, other])
        state[module] = 2

    for module in MODULES:
        if state[module] == 0:
            visit(module, [module])
    assert cycles == []


def test_audio_and_gui_never_import_torch():
    for module in MODULES:
        if module.startswith(("rtgain.audio", "gui")):
            direct = {name.split(".")[0] for name in imports(module)}
            assert "torch" not in direct, module
            loaded = {name.split(".")[0] for name in reachable(module, module_level=True)}
            assert "torch" not in loaded, module


def test_dsp_has_no_threads_and_no_files():
    machinery = {"threading", "multiprocessing", "asyncio", "soundfile", "sounddevice", "pathlib", "numba"}
    for module in MODULES:
        if module.startswith("rtgain.dsp"):
            assert {name.split(".")[0] for name in imports(module)} & machinery == set(), module


def test_listening_tests_need_neither_sound_nor_torch():
    for module in MODULES:
        if module.startswith("rtgain.listening"):
            loaded = {name.split(".")[0] for name in reachable(module, module_level=True)}
            assert loaded & {"torch", "numba", "soundfile", "sounddevice", "av", "PySide6"} == set(), module


def test_gui_and_command_line_use_the_session_and_nothing_below():
    below = ("rtgain.audio", "rtgain.dsp", "rtgain.metering", "rtgain.estimation", "sounddevice", "soundfile")
    for module in MODULES:
        if module.startswith(("rtgain.cli", "gui")):
            direct = {name for name in imports(module) if f"{name}.".startswith(tuple(f"{top}." for top in below))}
            assert direct == set(), module


def test_import_chains_are_short():
    @cache
    def floor(module: str) -> int:
        return 1 + max(map(floor, imports(module, module_level=True) & MODULES.keys()), default=0)

    longest = max(MODULES, key=floor)
    assert floor(longest) <= MAX_FLOORS, longest


def test_root_of_the_package_has_few_modules():
    assert len(list((ROOT / "rtgain").glob("*.py"))) <= MAX_ROOT_MODULES
