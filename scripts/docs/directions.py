"""The directions of ARCHITECTURE.md: which crate may depend on which, and which module may name which.

Each has a name, and ARCHITECTURE.md states it with that name in brackets: "(check: services-apart)".
"""

import re
import tomllib
from pathlib import Path

import rust
import tree

SERVICES = {"api-gateway", "verifier-service", "dns-checker-service", "webhook-service"}

# Who may depend on whom, tests aside. (check: crates)
CRATES = {
    "shared-models": set(),
    "service-runtime": {"shared-models"},
    "mail-client": {"shared-models", "service-runtime"},
    "use-cases": {"shared-models", "service-runtime"},
    "dialects": {"shared-models", "service-runtime", "use-cases"},
    "api-gateway": {"shared-models", "service-runtime", "use-cases", "dialects"},
    "webhook-service": {"shared-models", "service-runtime", "use-cases", "dialects"},
    "verifier-service": {"shared-models", "service-runtime", "mail-client"},
    "dns-checker-service": {"shared-models", "service-runtime"},
    "standalone": SERVICES | {"shared-models", "service-runtime", "use-cases", "dialects", "mail-client"},
    "mail-lab": set(),
    "test-support": {"shared-models", "service-runtime", "mail-lab"},
    "e2e-tests": {"mail-lab", "test-support"},
    "bench": {"shared-models", "dialects", "mail-lab", "test-support"},
}
# What tests may use besides. The gateway's webhook tests run the service that posts.
IN_TESTS = {"mail-lab", "test-support"}
IN_TESTS_OF = {"api-gateway": {"webhook-service", "verifier-service", "dns-checker-service"}}

# Crates from outside that one place has to itself. (check: outside)
OUTSIDE = {
    "diesel": {"shared-models"},
    "lapin": {"service-runtime"},
    "actix-web": {"service-runtime", "dialects", "api-gateway"},
    "hickory-resolver": {"service-runtime", "dns-checker-service"},
    "clap": {"standalone"},
}

# (name, files, paths that they may not name).
MODULES = [
    ("domain-pure", "shared-models/src/domain", ["crate::store", "crate::events", "diesel", "tokio"]),
    ("events-pure", "shared-models/src/events", ["crate::store", "diesel", "tokio"]),
    ("store-speaks-no-protocol", "shared-models/src", ["actix_web", "lapin", "reqwest", "hickory_resolver"]),
    ("use-cases-know-no-http", "libs/use-cases/src", ["actix_web", "utoipa", "diesel", "dialects"]),
    ("dialects-use-use-cases", "libs/dialects/src", ["shared_models::store::Store", "diesel"]),
    ("dialects-apart", "libs/dialects/src/sendkit", ["crate::coldsend", "crate::sendmux"]),
    ("dialects-apart", "libs/dialects/src/coldsend", ["crate::sendkit", "crate::sendmux"]),
    ("dialects-apart", "libs/dialects/src/sendmux", ["crate::sendkit", "crate::coldsend"]),
    ("mail-client-knows-no-store", "libs/mail-client/src", ["shared_models::store", "shared_models::events"]),
    *(
        ("dns-rules-pure", f"dns-checker-service/src/{rule}", ["shared_models::store", "shared_models::events"])
        for rule in ("mx", "spf", "dkim", "dmarc", "report", "resolver")
    ),
]


def manifests():
    """Name of the crate and its Cargo.toml."""
    members = tomllib.loads(Path("Cargo.toml").read_text())["workspace"]["members"]
    for member in members:
        manifest = tomllib.loads(Path(member, "Cargo.toml").read_text())
        yield manifest["package"]["name"], manifest


def crates():
    own = {name for name, _ in manifests()}
    for name, manifest in manifests():
        if name not in CRATES:
            yield f"{name} has no row in scripts/docs/directions.py"
            continue
        wanted = set(manifest.get("dependencies", {}))
        in_tests = set(manifest.get("dev-dependencies", {}))
        for other in (wanted & own) - CRATES[name]:
            yield f"{name} depends on {other}"
        for other in (in_tests & own) - CRATES[name] - IN_TESTS - IN_TESTS_OF.get(name, set()):
            yield f"the tests of {name} depend on {other}"
        if Path("dev") in Path(path_of(name)).parents:
            continue
        for crate, users in OUTSIDE.items():
            if crate in wanted and name not in users:
                yield f"{name} depends on {crate}, which is for {', '.join(sorted(users))}"


def path_of(name):
    dependency = tomllib.loads(Path("Cargo.toml").read_text())["workspace"]["dependencies"].get(name)
    return dependency["path"] if dependency else f"dev/{name}"


def modules():
    for name, place, forbidden in MODULES:
        files = [f for f in tree.files() if f.suffix == ".rs" and (f.is_relative_to(place) or f == Path(f"{place}.rs"))]
        if not files:
            yield f"{name}: there is no {place}"
        for file in files:
            for path in rust.named(file):
                for prefix in forbidden:
                    if path[: prefix.count("::") + 1] == tuple(prefix.split("::")):
                        yield f"{name}: {file} names {'::'.join(path)}"


def stated():
    names = {"crates", "outside"} | {name for name, _, _ in MODULES}
    text = Path("ARCHITECTURE.md").read_text()
    written = set(re.findall(r"\(check: ([\w-]+)\)", text))
    yield from (f"ARCHITECTURE.md does not state {name}" for name in names - written)
    yield from (f"ARCHITECTURE.md states {name}, and nothing checks it" for name in written - names)
