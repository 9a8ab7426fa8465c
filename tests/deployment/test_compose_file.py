"""docker-compose.yml says what the processes understand: checked as data, without an engine."""

from __future__ import annotations

import importlib
import pkgutil
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic_settings import BaseSettings

from gateway.settings import load_settings

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, Any] = COMPOSE["services"]
SECRET = re.compile(r"\$\{(\w+):\?\}")


def environment(service: str) -> dict[str, str]:
    """The service's variables, with a long value for each secret that the operator gives."""
    return {name: SECRET.sub("s" * 32, str(value)) for name, value in SERVICES[service].get("environment", {}).items()}


def test_its_head_makes_every_secret_that_it_uses_and_starts_it(tmp_path):
    head = [line.removeprefix("#").strip() for line in TEXT.partition("\nname:")[0].splitlines()]
    start = next(number for number, line in enumerate(head) if line.startswith("[ -e .env ] ||"))
    end = next(number for number, line in enumerate(head) if line.endswith("> .env)"))
    secrets = tmp_path / ".env"
    for _ in range(2):
        subprocess.run(["bash", "-euc", "\n".join(head[start : end + 1])], cwd=tmp_path, check=True)
        made = dict(line.split("=") for line in secrets.read_text().splitlines())
        assert secrets.stat().st_mode & 0o077 == 0
        secrets.write_text(secrets.read_text().replace("=", "=0"))  # they stay as they are
    assert set(made) == set(SECRET.findall(TEXT))
    assert all(re.fullmatch("0[0-9a-f]{32}", secret) for secret in made.values())
    assert len(set(made.values())) == len(made)
    assert head[end + 1].startswith("docker compose up")
    assert ".env" in (ROOT / ".gitignore").read_text().splitlines()


def test_the_topology_is_two_gateways_over_shared_stores():
    gateways = [name for name in SERVICES if name.startswith("gateway")]
    assert len(gateways) == 2
    settings = [load_settings(ROOT / "schema/concord.toml", environment(name)) for name in gateways]
    assert settings[0] == settings[1]
    assert settings[0].events.redis_url == settings[0].entities.redis_url == "redis://redis:6379/0"
    assert settings[0].writes.postgres_url.startswith("postgresql://concord:")
    assert len({tuple(SERVICES[name]["ports"]) for name in gateways}) == 2
    redis = SERVICES["redis"]["command"]
    assert (redis[redis.index("--appendonly") + 1], redis[redis.index("--appendfsync") + 1]) == ("yes", "always")


def test_every_subgraph_that_is_composed_has_two_replicas_that_answer_where_the_gateways_look():
    settings = load_settings(ROOT / "schema/concord.toml", environment("gateway-1"))
    identity_urls = None
    for name, subgraph in settings.subgraphs.items():
        if subgraph.url is None:
            continue
        replicas = [f"{name}-1", f"{name}-2"]
        assert without_volumes(SERVICES[replicas[0]]) == without_volumes(SERVICES[replicas[1]])
        variables = environment(replicas[0])
        addresses = [f"http://{replica}:{variables[f'CONCORD_{name.upper()}_PORT']}" for replica in replicas]
        assert subgraph.urls == tuple(f"{address}/graphql" for address in addresses)
        for replica in replicas:
            assert SERVICES["gateway-1"]["depends_on"][replica] == {"condition": "service_healthy"}
        # No disk in common: what one of them was told or has delivered, the other knows by Redis.
        for replica in replicas:
            assert SERVICES[replica]["volumes"] == [f"{replica}:/concord/.concord"]
        assert variables[f"CONCORD_{name.upper()}_STORE_REDIS_URL"] == settings.events.redis_url
        identity_urls = identity_urls or ",".join(addresses)
        assert variables.get(f"CONCORD_{name.upper()}_CROSSWALK_URL", identity_urls) == identity_urls


def test_what_one_machine_runs_with_the_composition_runs_with_too():
    """Else the composition confines nobody, or takes a webhook by another secret, and nothing says so."""
    for name, process in load_settings(ROOT / "schema/concord.toml", environment("gateway-1")).processes.items():
        for service in {name, f"{name}-1", f"{name}-2"} & SERVICES.keys():
            variables = environment(service)
            assert process.environment.keys() <= variables.keys(), service
            # What refers to no address and no secret means the same everywhere.
            plain = {key: value for key, value in process.environment.items() if "${" not in value}
            assert plain.items() <= variables.items(), service


def without_volumes(service: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in service.items() if name != "volumes"}


@pytest.mark.parametrize(("system", "vendor"), [("crm", "hubspot"), ("billing", "stripe")])
def test_a_vendor_s_webhooks_may_arrive_at_either_replica(system, vendor):
    urls = environment(f"{system}-sandbox")[f"CONCORD_{system.upper()}_SANDBOX_WEBHOOK_URL"].split(",")
    port = environment(f"{system}-1")[f"CONCORD_{system.upper()}_PORT"]
    assert urls == [f"http://{system}-{number}:{port}/webhooks/{vendor}" for number in (1, 2)]


@pytest.mark.parametrize("service", [name for name in SERVICES if SERVICES[name].get("image") == "concord:local"])
def test_every_variable_is_a_setting_of_its_process(service):
    command = SERVICES[service]["command"]
    variables = environment(service)
    if command == ["concord", "serve"]:
        load_settings(ROOT / "schema/concord.toml", variables)
        return
    assert command[:2] == ["python", "-m"]
    prefix, settings_type = settings_of(command[2])
    for name in variables:
        assert name.startswith(prefix), name
        assert name.removeprefix(prefix).lower() in settings_type.model_fields, name
    port = variables[f"{prefix}PORT"]
    # What the gateways wait for answers in full; the rest only has to answer.
    is_synchronised = "CROSSWALK_URL" in {name.removeprefix(prefix) for name in variables}
    path = "ready" if is_synchronised else "health"
    assert f"127.0.0.1:{port}/{path}'" in SERVICES[service]["healthcheck"]["test"][-1]
    assert variables[f"{prefix}HOST"] == "0.0.0.0"


def settings_of(module: str) -> tuple[str, type[BaseSettings]]:
    """The settings class that a module's process reads, by the prefix of its variables."""
    prefix = "CONCORD_" + "_".join(module.removeprefix("subgraphs.").removesuffix(".app").split(".")).upper() + "_"
    package = importlib.import_module(module)
    for found in pkgutil.iter_modules(getattr(package, "__path__", [])):
        if found.name != "__main__":
            importlib.import_module(f"{module}.{found.name}")
    pending: list[type[BaseSettings]] = [BaseSettings]
    while pending:
        for each in pending.pop().__subclasses__():
            if each.model_config.get("env_prefix") == prefix:
                return prefix, each
            pending.append(each)
    raise AssertionError(f"no settings with prefix {prefix}")


def test_what_one_service_waits_for_exists_and_says_when_it_is_healthy():
    for service in SERVICES.values():
        for name, condition in service.get("depends_on", {}).items():
            assert "healthcheck" in SERVICES[name]
            assert condition == {"condition": "service_healthy"}
        for volume in service.get("volumes", []):
            assert volume.split(":")[0] in COMPOSE["volumes"]


def test_ports_are_published_on_this_machine_only():
    for service in SERVICES.values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
