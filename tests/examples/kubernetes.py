"""A strict parser of the Kubernetes objects that the examples use: an unknown field is an error.

The models follow the API reference of Kubernetes 1.30 and of KEDA 2; what no example uses is left
out, so that whoever uses it adds it here with its type.
"""

from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator
from pydantic.alias_generators import to_camel

NAME = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
Name = Annotated[str, Field(pattern=NAME)]
Port = Annotated[int, Field(ge=1, le=65_535)]
Quantity = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?(m|Ki|Mi|Gi|k|M|G)?$")]


class Strict(BaseModel):
    """An object without unknown fields, with the names that Kubernetes writes."""

    model_config = ConfigDict(extra="forbid", strict=True, alias_generator=to_camel)


class Metadata(Strict):
    name: Name
    labels: dict[str, str] = {}


class PodMetadata(Strict):
    labels: dict[str, str]


class HttpGet(Strict):
    path: str
    port: str | Port


class Probe(Strict):
    http_get: HttpGet
    period_seconds: int
    timeout_seconds: int = 1
    failure_threshold: int = 3


class Exec(Strict):
    command: list[str]


class Hook(Strict):
    exec: Exec


class Lifecycle(Strict):
    pre_stop: Hook


class SecretName(Strict):
    name: Name


class EnvFrom(Strict):
    secret_ref: SecretName


class Variable(Strict):
    name: str
    value: str


class ContainerPort(Strict):
    name: Name
    container_port: Port


class ContainerSecurity(Strict):
    allow_privilege_escalation: bool
    read_only_root_filesystem: bool = False


class Resources(Strict):
    requests: dict[Literal["cpu", "memory"], Quantity]
    limits: dict[Literal["cpu", "memory"], Quantity]


class Container(Strict):
    name: Name
    image: str
    args: list[str]
    env: list[Variable] = []
    env_from: list[EnvFrom] = []
    ports: list[ContainerPort] = []
    startup_probe: Probe | None = None
    liveness_probe: Probe | None = None
    readiness_probe: Probe | None = None
    lifecycle: Lifecycle | None = None
    security_context: ContainerSecurity | None = None
    resources: Resources

    @model_validator(mode="after")
    def _probes_name_ports(self) -> "Container":
        named = {port.name for port in self.ports}
        for probe in (self.startup_probe, self.liveness_probe, self.readiness_probe):
            if probe is not None and isinstance(probe.http_get.port, str):
                assert probe.http_get.port in named
        return self


class PodSecurity(Strict):
    run_as_non_root: Literal[True]
    run_as_user: Annotated[int, Field(gt=0)]


class PodSpec(Strict):
    containers: list[Container]
    security_context: PodSecurity
    restart_policy: Literal["Always", "Never", "OnFailure"] = "Always"
    termination_grace_period_seconds: int = 30


class Template(Strict):
    metadata: PodMetadata
    spec: PodSpec


class Selector(Strict):
    match_labels: dict[str, str]


class RollingUpdate(Strict):
    max_surge: int
    max_unavailable: int


class Strategy(Strict):
    type: Literal["RollingUpdate"]
    rolling_update: RollingUpdate


class DeploymentSpec(Strict):
    replicas: int
    selector: Selector
    strategy: Strategy
    template: Template


class Deployment(Strict):
    api_version: Literal["apps/v1"]
    kind: Literal["Deployment"]
    metadata: Metadata
    spec: DeploymentSpec


class JobSpec(Strict):
    backoff_limit: int
    ttl_seconds_after_finished: int
    template: Template


class Job(Strict):
    api_version: Literal["batch/v1"]
    kind: Literal["Job"]
    metadata: Metadata
    spec: JobSpec


class ServicePort(Strict):
    name: Name
    port: Port
    target_port: str


class ServiceSpec(Strict):
    selector: dict[str, str]
    ports: list[ServicePort]


class Service(Strict):
    api_version: Literal["v1"]
    kind: Literal["Service"]
    metadata: Metadata
    spec: ServiceSpec


class Secret(Strict):
    api_version: Literal["v1"]
    kind: Literal["Secret"]
    metadata: Metadata
    type: Literal["Opaque"]
    string_data: dict[str, str]


class BudgetSpec(Strict):
    min_available: int | None = None
    max_unavailable: int | None = None
    selector: Selector


class Budget(Strict):
    api_version: Literal["policy/v1"]
    kind: Literal["PodDisruptionBudget"]
    metadata: Metadata
    spec: BudgetSpec


class Target(Strict):
    name: Name


class PrometheusQuery(Strict):
    server_address: str
    query: str
    threshold: str


class PrometheusTrigger(Strict):
    type: Literal["prometheus"]
    metric_type: Literal["AverageValue", "Value"]
    metadata: PrometheusQuery


class ApiQuery(Strict):
    url: str
    value_location: str
    target_value: str
    auth_mode: Literal["bearer"]


class ApiTrigger(Strict):
    type: Literal["metrics-api"]
    metric_type: Literal["AverageValue", "Value"]
    metadata: ApiQuery
    authentication_ref: Target


class ScaledSpec(Strict):
    scale_target_ref: Target
    min_replica_count: int
    max_replica_count: int
    cooldown_period: int
    triggers: list[Annotated[PrometheusTrigger | ApiTrigger, Field(discriminator="type")]]


class ScaledObject(Strict):
    api_version: Literal["keda.sh/v1alpha1"]
    kind: Literal["ScaledObject"]
    metadata: Metadata
    spec: ScaledSpec


class SecretTarget(Strict):
    parameter: str
    name: Name
    key: str


class AuthenticationSpec(Strict):
    secret_target_ref: list[SecretTarget]


class TriggerAuthentication(Strict):
    api_version: Literal["keda.sh/v1alpha1"]
    kind: Literal["TriggerAuthentication"]
    metadata: Metadata
    spec: AuthenticationSpec


Manifest = Deployment | Job | Service | Secret | Budget | ScaledObject | TriggerAuthentication
_any: TypeAdapter[Manifest] = TypeAdapter(Annotated[Manifest, Field(discriminator="kind")])


def manifests(path: Path) -> list[Manifest]:
    """The objects of a file.

    Raises:
        ValidationError: a field is unknown, missing or of another type.
    """
    return [
        _any.validate_python(document)
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8"))
    ]
