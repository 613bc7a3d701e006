"""The files of examples/deploy: each is read by a strict parser, and its commands are run."""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from taskq_server import Settings
from tests.examples import kubernetes
from tests.examples.documents import table_rows
from tests.examples.kubernetes import Budget, Container, Deployment, Job, Secret, manifests
from tests.support.processes import ROOT
from tests.support.stack import Stack
from tools.run_dockerfile import context, stages

FOLDER = ROOT / "examples" / "deploy"
SERVER = Path(sys.executable).with_name("taskq-server")
VARIABLES = {f"TASKQ_{name.upper()}" for name in Settings.model_fields}
KUBERNETES = sorted((FOLDER / "kubernetes").glob("*.yaml"))
GRACE = sum(
    Settings.model_fields[name].default
    for name in ("drain_seconds", "cancel_grace_seconds", "hook_seconds")
)
OF_PROMETHEUS = {"process_resident_memory_bytes", "process_cpu_seconds_total", "up"}
OF_SCRAPES = {"job", "instance", "le"}


def test_each_file_has_a_test_and_is_told_of() -> None:
    told = (FOLDER / "README.md").read_text(encoding="utf-8")
    for path in FOLDER.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            assert path.name in told


def accepts(words: list[str]) -> None:
    """Check that taskq-server knows a command and its options."""
    done = subprocess.run(
        [SERVER, *words, "--help"], capture_output=True, text=True, timeout=180, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


# compose


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text(encoding="utf-8"))
    return found


def test_the_services_of_compose_start_in_their_order(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert set(compose) == {"x-taskq", "services", "volumes"}
    for service in services.values():
        for name, condition in service.get("depends_on", {}).items():
            assert name in services
            if condition["condition"] == "service_healthy":
                assert "test" in services[name]["healthcheck"]
        for volume in service.get("volumes", []):
            assert volume.partition(":")[0] in compose["volumes"]
        ours = {name for name in service.get("environment", {}) if name.startswith("TASKQ_")}
        assert ours <= VARIABLES
    for name in ("migrate", "api", "worker"):  # who has no `build` would be looked for elsewhere
        build = services[name]["build"]
        assert (FOLDER / build["context"] / build["dockerfile"]).resolve() == FOLDER / "Dockerfile"
    assert float(services["worker"]["stop_grace_period"].removesuffix("s")) > GRACE


@pytest.mark.parametrize("service", ["migrate", "api", "worker"])
def test_the_commands_of_compose_exist(compose: dict[str, Any], service: str) -> None:
    accepts(shlex.split(compose["services"][service]["command"]))


# Dockerfile


def test_the_image_is_built_as_that_of_the_repository_and_has_the_handlers() -> None:
    ours = stages((FOLDER / "Dockerfile").read_text(encoding="utf-8"))
    theirs = stages((ROOT / "Dockerfile").read_text(encoding="utf-8"))
    assert ours[0] == theirs[0]  # `nox -s image` does what it says
    added = [one for one in ours[1] if one not in theirs[1]]
    assert [one.word for one in added] == ["COPY", "EXPOSE", "ENV", "HEALTHCHECK"]
    assert [one.rest for one in ours[1] if one.word == "USER"] == ["10001"]
    ignored = (FOLDER / "Dockerfile.dockerignore").read_text(encoding="utf-8")
    sent = set(context(ROOT, ignored))
    for one in [*ours[0], *ours[1]]:
        if one.word == "COPY" and one.stage is None:
            source = ROOT / one.words[0]
            assert any(source == path or source in path.parents for path in sent)


def test_the_health_check_asks_the_process(stack: Stack) -> None:
    (check,) = (
        one.rest
        for one in stages((FOLDER / "Dockerfile").read_text(encoding="utf-8"))[1]
        if one.word == "HEALTHCHECK"
    )
    program, *arguments = json.loads(check.partition("CMD ")[2])
    assert program == "python"

    def status(url: str) -> int:
        command = [sys.executable, *arguments]
        env = {"HEALTH_URL": url, "NO_PROXY": "*"}
        return subprocess.run(
            command, env=env, capture_output=True, timeout=60, check=False
        ).returncode

    assert status(f"{stack.api_url}/livez") == 0
    assert status(f"{stack.api_url}/no-such-path") != 0
    assert status("http://127.0.0.1:1/livez") != 0


# Kubernetes


def containers() -> Iterator[Container]:
    for path in KUBERNETES:
        for one in manifests(path):
            if isinstance(one, Deployment | Job):
                yield from one.spec.template.spec.containers


def test_the_manifests_fit_together() -> None:
    found = [one for path in KUBERNETES for one in manifests(path)]
    pods = {
        one.metadata.name: one.spec.template for one in found if isinstance(one, Deployment | Job)
    }
    secrets = {one.metadata.name: one.string_data for one in found if isinstance(one, Secret)}
    for one in found:
        if isinstance(one, Deployment):
            assert one.spec.selector.match_labels == one.spec.template.metadata.labels
        if isinstance(one, Budget):
            assert one.spec.selector.match_labels == pods[one.metadata.name].metadata.labels
        if isinstance(one, kubernetes.Service):
            template = pods[one.metadata.name]
            assert one.spec.selector == template.metadata.labels
            named = {port.name for each in template.spec.containers for port in each.ports}
            assert {port.target_port for port in one.spec.ports} <= named
        if isinstance(one, kubernetes.ScaledObject):
            assert one.spec.scale_target_ref.name in pods
    for container in containers():
        names = {each.name for each in container.env}
        for source in container.env_from:
            names |= set(secrets[source.secret_ref.name])
        assert names <= VARIABLES
        assert {"TASKQ_DATABASE_URL", "TASKQ_REDIS_URL"} <= names
    budgets = {one.metadata.name for one in found if isinstance(one, Budget)}
    assert budgets == {one.metadata.name for one in found if isinstance(one, Deployment)}


def test_deployments_are_probed_and_have_the_time_to_end() -> None:
    for path in KUBERNETES:
        for one in manifests(path):
            if isinstance(one, Deployment):
                (container,) = one.spec.template.spec.containers
                assert container.liveness_probe is not None
                assert container.liveness_probe.http_get.path == "/livez"
                assert container.readiness_probe is not None
                assert container.readiness_probe.http_get.path == "/readyz"
                assert container.lifecycle is not None
                if container.args[0] == "worker":
                    assert one.spec.template.spec.termination_grace_period_seconds > GRACE


@pytest.mark.parametrize("container", [*containers()], ids=lambda one: one.name)
def test_the_commands_of_containers_exist(container: Container) -> None:
    accepts(container.args)


def test_a_misspelt_field_is_found(tmp_path: Path) -> None:
    text = (FOLDER / "kubernetes" / "api.yaml").read_text(encoding="utf-8")
    for right, wrong in (
        ("readinessProbe", "readynessProbe"),
        ("containerPort: 8000", 'containerPort: "8000"'),
        ("port: http\n            periodSeconds: 5", "port: web\n            periodSeconds: 5"),
    ):
        assert right in text
        (tmp_path / "wrong.yaml").write_text(text.replace(right, wrong), encoding="utf-8")
        with pytest.raises(ValidationError):
            manifests(tmp_path / "wrong.yaml")


# nginx


def directives(text: str) -> list[tuple[str, ...]]:
    """The directives of nginx, each after its blocks; one that does not end is an error."""
    tokens = re.findall(r'"[^"]*"|[{};]|[^\s{};"]+', re.sub(r"#.*", "", text))
    found, blocks, words = [], list[str](), list[str]()
    for token in tokens:
        if token == ";":
            assert words
            found.append((*blocks, *words))
            words = []
        elif token == "{":
            blocks.append(" ".join(words))
            words = []
        elif token == "}":
            assert not words
            blocks.pop()
        else:
            words.append(token)
    assert not blocks
    assert not words
    return found


def test_nginx_passes_events_on_one_by_one() -> None:
    found = directives((FOLDER / "nginx.conf").read_text(encoding="utf-8"))
    location = ("http", "server", "location /")
    assert (*location, "proxy_buffering", "off") in found
    assert (*location, "proxy_pass", "http://taskq") in found
    assert (*location, "proxy_set_header", "Host", "$http_host") in found
    # Unknown before nginx 1.25.1, such as those of Debian 12 and Ubuntu 24.04, which then stop.
    assert all(each[-2] != "http2" for each in found)
    (timeout,) = (each[-1] for each in found if each[-2] == "proxy_read_timeout")
    assert int(timeout.removesuffix("s")) > 60
    (size,) = (each[-1] for each in found if each[-2] == "client_max_body_size")
    most = Settings.model_fields["max_batch_bytes"].default
    assert int(size.removesuffix("m")) * 2**20 >= most


# Prometheus and Grafana


def exposed() -> dict[str, set[str]]:
    """The labels of each metric that docs/metrics.md tells of, as a test compares with a server."""
    found: dict[str, set[str]] = {name: set() for name in OF_PROMETHEUS}
    for heading in ("## Facts of the deployment", "## Numbers of a process"):
        for name, kind, labels, *_ in table_rows(ROOT / "docs" / "metrics.md", heading):
            suffixes = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
            for suffix in suffixes:
                found[name.strip("`") + suffix] = set(re.findall(r"`(\w+)`", labels))
    return found


def queries() -> Iterator[str]:
    """All queries of the examples."""
    rules = yaml.safe_load((FOLDER / "prometheus" / "alerts.yml").read_text(encoding="utf-8"))
    for group in rules["groups"]:
        for rule in group["rules"]:
            assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
            yield rule["expr"]
    dashboard = json.loads((FOLDER / "grafana" / "dashboard.json").read_text(encoding="utf-8"))
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield target["expr"]
    for path in KUBERNETES:
        for one in manifests(path):
            if isinstance(one, kubernetes.ScaledObject):
                for trigger in one.spec.triggers:
                    if isinstance(trigger, kubernetes.PrometheusTrigger):
                        yield trigger.metadata.query


@pytest.mark.parametrize("query", [*queries()])
def test_a_query_asks_for_what_the_server_shows(query: str) -> None:
    known = exposed()
    plain = re.sub(r'"[^"]*"', '""', query)
    names = set(re.findall(r"\b(?:taskq|process)_\w+|\bup\b", plain))
    assert names
    assert names <= known.keys()
    labels = {
        label
        for listed in re.findall(r"\bby \(([^)]*)\)", plain)
        for label in re.split(r",\s*", listed)
    }
    labels |= set(re.findall(r"(\w+)\s*=?~?=?\"\"", plain.replace("=~", "=").replace("!=", "=")))
    assert labels - OF_SCRAPES <= set().union(*(known[name] for name in names))
    assert plain.count("(") == plain.count(")")


def test_each_alert_has_its_line_in_the_runbook() -> None:
    rules = yaml.safe_load((FOLDER / "prometheus" / "alerts.yml").read_text(encoding="utf-8"))
    alerts = [rule for group in rules["groups"] for rule in group["rules"]]
    told = [row[0].strip("`") for row in table_rows(ROOT / "docs" / "operate.md", "## Alerts")]
    assert told == [alert["alert"] for alert in alerts]
    assert all(alert["annotations"]["runbook"] == "docs/operate.md#alerts" for alert in alerts)


def test_prometheus_asks_all_processes_of_the_units() -> None:
    text = (FOLDER / "prometheus" / "prometheus.yml").read_text(encoding="utf-8")
    scraped = yaml.safe_load(text)
    assert scraped["rule_files"] == ["alerts.yml"]
    assert [job["job_name"] for job in scraped["scrape_configs"]] == ["taskq-api", "taskq-worker"]
