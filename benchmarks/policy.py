"""Figures of the policy room: checks of leases, decisions at many policies, changes, explanations.

Peers that are not installed are left out.
"""

from __future__ import annotations

import gc
import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any

import cedarpy

from benchmarks.measure import Benchmark, Figure, interleaved
from benchmarks.pauses import busy, elsewhere
from remit.journal.event import Draft
from remit.kernel.model import Budget, Capability, Grant, UnitRef
from remit.kernel.ports import SystemClock
from remit.policy.authority import CedarAuthority
from remit.policy.deciding.requests import Request, capability_use
from remit.policy.leases.models import LeaseBook
from remit.policy.postures import PolicySet, load, schema_text
from remit.policy.reviewing import compare
from remit.policy.reviewing.explain import explain
from remit.policy.sets.engine import Engine, Facts
from remit.schemas.config import Operator

__all__ = ["BENCHMARKS"]

_EMIT = "events:emit"
_RUNS = 200
_INNER = 1_000
"""Repetitions inside one sample of what takes less than a microsecond."""


def _site(count: int) -> str:
    """A site's policies as they grow: most name one unit, some a publisher, a few are for everybody."""
    chosen = random.Random(count)  # noqa: S311 - the same set each time
    lines = []
    for number in range(count):
        publisher, unit = chosen.randrange(max(1, count // 50)), chosen.randrange(10)
        kind = chosen.random()
        principal = (
            f'principal == Remit::Unit::"p{publisher}/u{unit}"' if kind < 0.8  # noqa: PLR2004 - shares of each kind
            else f'principal in Remit::Publisher::"p{publisher}"' if kind < 0.97  # noqa: PLR2004
            else "principal is Remit::Unit"
        )  # fmt: skip
        action = chosen.choice([f'action == Remit::Action::"{_EMIT}"', 'action in Remit::Action::"use"'])
        topic = f'resource in Remit::Topic::"t{chosen.randrange(max(1, count // 10))}"'
        lines.append(f'@id("site.{number}") permit ({principal}, {action}, {topic}) when {{ context.lease.declared }};')
    return "\n".join(lines)


def _questions(count: int) -> list[Request]:
    chosen = random.Random(-count)  # noqa: S311 - the same questions each time
    found = []
    for _ in range(64):
        unit = _unit(f"p{chosen.randrange(max(1, count // 50))}/u{chosen.randrange(10)}")
        topic = f"t{chosen.randrange(max(1, count // 10))}.a.b"
        found.append(capability_use(unit, Capability(_EMIT, topic), declared=True, approved=False, units={}))
    return found


def _unit(name: str) -> UnitRef:
    return UnitRef(name, "1.0.0", f"sha256:{name}", "tool", "signed")


def _authority(policies: PolicySet) -> CedarAuthority:
    folds: Any = SimpleNamespace(state=lambda _name: LeaseBook())
    return CedarAuthority(
        policies,
        clock=SystemClock(),
        folds=folds,
        operators={"local": Operator(("owner",))},
        write=_forget,
        home="/srv/home",
    )


def _forget(drafts: Sequence[Draft]) -> None:
    del drafts


# ---- measuring ----


def _interleaved(runs: int, contenders: Mapping[str, Callable[[], object]], inner: int = 1) -> dict[str, float]:
    """The median of each contender in microseconds."""
    return interleaved(contenders, rounds=runs, each=inner)


def _figure(runs: int, unit: str, medians: dict[str, float], scale: float = 1.0) -> Figure:
    peers = {name: value / scale for name, value in medians.items() if name != "remit"}
    return Figure(medians["remit"] / scale, unit, peers, runs)


def _cycle(items: Sequence[Any], work: Callable[..., object]) -> Callable[[], object]:
    state = {"at": 0}

    def once() -> object:
        state["at"] = (state["at"] + 1) % len(items)
        return work(items[state["at"]])

    return once


# ---- figures ----


def lease_check(runs: int) -> Figure:
    """A use under a live lease, beside a decision of Cedar over the same policies with everything parsed."""
    unit, policies = _unit("acme/tool"), load("standard", {})
    authority = _authority(policies)
    authority.activate([unit], [Grant("g", unit, Capability(_EMIT, "text"))])
    request = capability_use(unit, Capability(_EMIT, "text"), declared=True, approved=False, units={})
    facts, asked = policies.engine.entities(request.entities), request.cedar()
    whole, schema = policies.engine.whole, policies.engine.schema
    medians = _interleaved(runs, {"remit": lambda: authority.use(unit, _EMIT, "text")}, _INNER)
    medians |= _interleaved(runs, {"cedarpy": lambda: cedarpy.is_authorized(asked, whole, facts.handle, schema)})
    return _figure(runs, "us", medians)


def lease_check_budget(runs: int) -> Figure:
    """The same with a budget to charge."""
    unit = _unit("acme/tool")
    authority = _authority(load("standard", {}))
    budget = Budget(3_600_000, calls=1 << 50, bytes=1 << 60)
    authority.activate([unit], [Grant("g", unit, Capability(_EMIT, "text", budget=budget))])
    return _figure(
        runs, "us", _interleaved(runs, {"remit": lambda: authority.use(unit, _EMIT, "text", nbytes=9)}, _INNER)
    )


def lease_guarded_first(runs: int) -> Figure:
    """The first use of a concrete file under a guarded grant of its folder.

    ``asked`` is the same where nothing was decided of its unit before, so that Cedar is asked.
    """
    units = [_unit(f"p{number}/tool") for number in range(runs + 3)]
    authority = _authority(load("standard", {}))
    grants = [Grant(unit.id, unit, Capability("fs:read", "/data"), consent="local") for unit in units]
    authority.activate(units, grants)
    for unit in units:  # what follows from a grant and the policies is worked out once, whatever is used
        authority.epoch.outlook(authority.holding(unit.id))
    authority.use(units[0], "fs:read", "/data/file")
    paths = [f"/data/file{number}" for number in range(runs + 2)]
    cases = {
        "remit": _cycle(paths, lambda path: authority.use(units[0], "fs:read", path)),
        "asked": _cycle(units[1:], lambda unit: authority.use(unit, "fs:read", "/data/folder/file")),
    }
    return _figure(runs, "us", _interleaved(runs, cases))


def lease_guarded_memo(runs: int) -> Figure:
    """A later use of the same concrete file under a guarded grant of its folder."""
    unit = _unit("acme/tool")
    authority = _authority(load("standard", {}))
    authority.activate([unit], [Grant("g", unit, Capability("fs:read", "/data"), consent="local")])
    return _figure(
        runs, "us", _interleaved(runs, {"remit": lambda: authority.use(unit, "fs:read", "/data/file")}, _INNER)
    )


def issue(runs: int) -> Figure:
    """One decision on the shipped set: entities built, checked against the schema, evaluated."""
    engine = load("standard", {}).engine
    request = _questions(100)[0]
    return _figure(
        runs,
        "us",
        _interleaved(runs, {"remit": lambda: engine.authorize(request.cedar(), engine.entities(request.entities))}),
    )


def decision(count: int) -> Callable[[int], Figure]:
    """A Cedar decision at so many policies, beside Cedar over the whole set and casbin over as many rules."""

    def measure(runs: int) -> Figure:
        engine = Engine.parse(_site(count), schema_text())
        questions = _questions(count)
        asked: list[tuple[dict[str, Any], Facts]] = [(one.cedar(), engine.entities(one.entities)) for one in questions]
        whole = engine.whole
        for request, facts in asked:
            engine.authorize(request, facts)
        medians = _interleaved(runs, {"remit": _cycle(asked, lambda one: engine.authorize(*one))})
        slow = {
            "cedarpy": _cycle(asked, lambda one: cedarpy.is_authorized(one[0], whole, one[1].handle, engine.schema))
        }
        casbin = _casbin(count)
        if casbin is not None:
            slow["pycasbin"] = _cycle(questions, casbin)
        medians |= _interleaved(max(3, runs // 10), slow)
        return _figure(runs, "us", medians)

    return measure


def _casbin(count: int) -> Callable[[Request], object] | None:
    """An enforcer with as many rules, or ``None`` where casbin is not installed."""
    try:
        import casbin  # noqa: PLC0415 - a peer, and optional
    except ImportError:
        return None
    model = casbin.Model()
    model.load_model_from_text(
        "[request_definition]\nr = sub, act, obj\n[policy_definition]\np = sub, act, obj\n"
        "[policy_effect]\ne = some(where (p.eft == allow))\n"
        "[matchers]\nm = r.sub == p.sub && r.act == p.act && keyMatch(r.obj, p.obj)\n"
    )
    enforcer = casbin.Enforcer(model)
    chosen = random.Random(count)  # noqa: S311 - the same set each time
    enforcer.add_policies([
        [f"p{chosen.randrange(max(1, count // 50))}/u{chosen.randrange(10)}", _EMIT, f"t{number}.*"]
        for number in range(count)
    ])  # fmt: skip
    return lambda one: enforcer.enforce(one.principal.id, one.action, one.resource.id)


def swap(runs: int) -> Figure:
    """A change of one policy of a thousand under ten thousand live leases. Milliseconds."""
    before, after = _site(1_000), _site(1_000).replace('site.7"', 'site.seven"')
    sets = [load("standard", {"policy/site.cedar": before})]
    sets.append(load("standard", {"policy/site.cedar": after}, like=sets[0]))
    authority, _ = _many_leases(sets[0])
    medians = _interleaved(max(3, runs // 10), {"remit": _cycle(sets, authority.publish)})
    return _figure(max(3, runs // 10), "ms", medians, 1_000)


def swap_pause(runs: int) -> Figure:
    """The longest that a thread waits which checks leases all the time, during that change. Milliseconds.

    The change is the whole of it: the edited text is loaded, and published. ``nothing`` is the longest wait in as much
    time without one, which is taken off; ``other process`` that while another process computes, for comparison.
    """
    texts = [_site(1_000), _site(1_000).replace('site.7"', 'site.seven"')]
    live = [load("standard", {"policy/site.cedar": texts[0]})]
    authority, grants = _many_leases(live[0])
    unit, resource = grants[0].unit, grants[0].capability.resource
    rounds = max(3, runs // 40)

    def change(text: str) -> None:
        live[0] = load("standard", {"policy/site.cedar": text}, like=live[0])
        authority.publish(live[0])

    publish, found = _cycle(texts, change), []
    publish()
    gc.collect()
    with busy(lambda: authority.use(unit, _EMIT, resource)) as longest, elsewhere() as compute:
        for _ in range(rounds):
            begin = time.perf_counter()
            during = longest(publish)
            seconds = time.perf_counter() - begin
            nothing = longest(partial(time.sleep, seconds))
            found.append((during, nothing, longest(partial(compute, seconds)), seconds * 1_000))
    during, *others = (statistics.median(values) for values in zip(*found, strict=True))
    peers = dict(zip(("nothing", "other process", "the whole change"), others, strict=True))
    return Figure(max(0.0, during - peers["nothing"]), "ms", peers, rounds)


def revoke_prefix(runs: int) -> Figure:
    """Ten thousand grants revoked at once. Milliseconds."""
    policies, taken = load("standard", {}), []
    rounds = max(3, runs // 50)
    for _ in range(rounds):
        authority, grants = _many_leases(policies)
        gc.collect()  # making ten thousand grants is not what is measured
        begin = time.perf_counter_ns()
        authority.revoke(*(one.id for one in grants if one.capability.resource.startswith("t")))
        taken.append((time.perf_counter_ns() - begin) / 1e6)
    return Figure(statistics.median(taken), "ms", {}, rounds)


def _many_leases(policies: PolicySet) -> tuple[CedarAuthority, list[Grant]]:
    authority = _authority(policies)
    units = [_unit(f"p{number}/u0") for number in range(10)]
    grants = [Grant(f"g{number}", units[number % 10], Capability(_EMIT, f"t{number}.a")) for number in range(10_000)]
    authority.activate(units, grants)
    for grant in grants:
        authority.use(grant.unit, _EMIT, grant.capability.resource)
    return authority, grants


def explanation(runs: int) -> Figure:
    """Explaining a default deny on the shipped set. Milliseconds."""
    engine = load("standard", {}).engine
    unit = _unit("acme/tool")
    asked = Capability("net:http", "https://api.example.com")
    request = capability_use(unit, asked, declared=True, approved=False, units={})
    medians = _interleaved(max(3, runs // 10), {"remit": lambda: explain(engine, request)})
    return _figure(max(3, runs // 10), "ms", medians, 1_000)


def what_if(runs: int) -> Figure:
    """Ten thousand different decisions made again under two sets. Milliseconds."""
    before, after = load("standard", {}).engine, load("strict", {}).engine
    taken = []
    rounds = max(3, runs // 100)
    for _ in range(rounds):
        replay = compare.Replay(lambda _name: Operator(), {}, frozenset(), None)
        for number in range(10_000):
            unit = _unit(f"p{number % 100}/u{number % 7}")
            topic = Capability(_EMIT, f"t{number}.a")
            replay.ask(unit.id, topic, capability_use(unit, topic, declared=True, approved=False, units={}))
        begin = time.perf_counter_ns()
        compare.flips(replay, before, after)
        taken.append((time.perf_counter_ns() - begin) / 1e6)
    return Figure(statistics.median(taken), "ms", {}, rounds)


def _benchmark(key: str, title: str, target: str, how: str, work: Callable[[int], Figure]) -> Benchmark:
    return Benchmark(f"policy.{key}", title, target, how, lambda _resources: work(_RUNS))


_SITE = "Each policy names a unit, a publisher or everybody, and a topic; 64 questions in turn, slices made before."
BENCHMARKS = (
    _benchmark(
        "lease_check", "lease check", "≤ 0.5 µs",
        "A use under a live lease without a budget. `cedarpy` decides over parsed policies and entities.", lease_check,
    ),
    _benchmark(
        "lease_check_budget", "lease check that charges a budget", "", "The same, bytes charged.", lease_check_budget
    ),
    _benchmark(
        "lease_guarded_first", "first use of a file below a granted folder", "≤ 150 µs",
        "Parsed, decided, kept as a lease; `asked` where nothing of its unit was decided before, so that Cedar is.",
        lease_guarded_first,
    ),
    _benchmark(
        "lease_guarded_memo", "later use of the same file below a granted folder", "≤ 0.6 µs",
        "The lease that the first use took is looked up.", lease_guarded_memo,
    ),
    _benchmark("issue", "decision on the shipped set", "≤ 300 µs", "Entities built and checked, then decided.", issue),
    _benchmark("decision_1000", "Cedar decision at 1,000 policies", "≤ 60 µs", _SITE, decision(1_000)),
    _benchmark("decision_10000", "Cedar decision at 10,000 policies", "≤ 200 µs", _SITE, decision(10_000)),
    _benchmark(
        "swap_1000", "publish 1,000 policies under 10,000 leases", "≤ 250 ms",
        "One policy of them gets another id; from the call to the new set being in force.", swap,
    ),
    _benchmark(
        "swap_pause", "longest wait of a lease check beside that", "≤ 1 ms",
        "The edited text is loaded and published while a thread checks all the time: its longest wait, less the "
        "longest in as much time without one (`nothing`). `the whole change` is how long that takes meanwhile.",
        swap_pause,
    ),
    _benchmark("revoke_10000", "revoke 10,000 grants by prefix", "≤ 10 ms", "All of them leased.", revoke_prefix),
    _benchmark("explain", "explain a denial", "≤ 10 ms", "Each condition of each near permit.", explanation),
    _benchmark("what_if_10000", "what-if over 10,000 decisions", "≤ 3 s", "All different, under two sets.", what_if),
)  # fmt: skip
