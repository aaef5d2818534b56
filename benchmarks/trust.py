"""What it costs to verify a unit's signature and to make one, beside what Sigstore's own verifier takes for less."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path

from sigstore.models import Bundle, TrustedRoot
from sigstore.verify import Verifier
from sigstore.verify.policy import Identity
from sigstore_models.trustroot.v1 import TrustedRoot as Document

from benchmarks.measure import Benchmark, Figure, interleaved
from remit.registry import pack
from remit.registry.trust.admission import AdmissionVerifier
from remit.registry.trust.domain import Domain
from remit.registry.trust.holdings import Holdings
from remit.registry.trust.releasing import signed
from remit.registry.trust.signing import DomainSigner
from remit.registry.trust.statement import release_statement

__all__ = ["BENCHMARKS"]

_UNIT, _VERSION, _WHO = "acme/bench", "1.0.0", "ann@example.com"
_FILES = {"unit.toml": f'id = "{_UNIT}"\nversion = "{_VERSION}"\n'.encode(), "bench.wasm": b"\0asm\x0d\0\x01\0"}
_ROUNDS = 30


def _domain(resources: ExitStack) -> Domain:
    folder = resources.enter_context(tempfile.TemporaryDirectory(prefix="remit-bench-"))
    return Domain.create(Path(folder) / "domain", "trust.example.com")


def _verify(resources: ExitStack) -> Figure:
    domain = _domain(resources)
    bundle = signed(pack(_FILES), _UNIT, _VERSION, DomainSigner(domain, _WHO))
    held = Holdings(roots={"domain": domain.trusted_root.decode()})
    verifier = AdmissionVerifier(lambda: held, frozenset)
    data = bundle.referrers[0].data
    stock = Verifier(trusted_root=TrustedRoot(Document.from_json(domain.trusted_root)))
    policy = Identity(identity=_WHO, issuer=domain.issuer)
    cases = {
        "remit": lambda: verifier.verify(bundle),
        "sigstore": lambda: stock.verify_dsse(Bundle.from_json(data), policy),
    }
    times = {name: micros / 1e3 for name, micros in interleaved(cases, rounds=_ROUNDS, each=5).items()}
    return Figure(times["remit"], "ms", {"stock sigstore": times["sigstore"]}, runs=_ROUNDS)


def _sign(resources: ExitStack) -> Figure:
    domain, bundle = _domain(resources), pack(_FILES)
    signer = DomainSigner(domain, _WHO)
    statement = release_statement(bundle.digest, _UNIT, _VERSION, bundle.unit_toml)
    [micros] = interleaved({"remit": lambda: signer.sign_statement(statement)}, rounds=_ROUNDS, each=3).values()
    return Figure(micros / 1e3, "ms", runs=_ROUNDS)


BENCHMARKS = (
    Benchmark(
        "registry.verify",
        "verify a unit's signature",
        "≤ 3 ms",
        "parse and verify, with the times of keys, the release and its names, which the peer leaves out",
        _verify,
    ),
    Benchmark(
        "registry.sign",
        "sign a unit in a trust domain",
        "≤ 3 ms",
        "in process, with the certificate at hand: sign, timestamp, append to the log on disk",
        _sign,
    ),
)
