"""Settings of callers."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from taskq_server.core.settings.group import Group
from taskq_server.domain.rate_limits import RateLimit

Rate = Annotated[str, AfterValidator(lambda text: str(RateLimit.parse(text)))]


class AccessSettings(Group):
    """Who may call, and how often."""

    auth: Literal["auto", "required", "off"] = Field(
        "auto",
        description="whether requests need a key: `required`, `off`, or `auto`, which asks for one "
        "once the first is made, and from the start where other machines can reach the API",
    )
    insecure_no_auth: bool = Field(
        False, description="another spelling of `TASKQ_AUTH=off`, for `api` and `dev`"
    )
    admin_key_file: Path | None = Field(
        None,
        description="file with one whole key, `tq_<id>_<secret>`, that opens as an operator's with "
        "the scope `admin`, for the first start of a container; only its owner may write it",
    )
    rate_limit: Rate | None = Field(
        None,
        description="most requests of each key that has no limit of its own, such as `600/minute`, "
        "`50/second` or `100000/day`; each task of a batch counts; empty means no limit",
    )
    max_waits_per_key: int = Field(
        500,
        ge=1,
        le=1_000_000,
        description="most requests of one key that wait for tasks or follow them at a time, in "
        "each API process",
    )
    max_auth_failures: int = Field(
        300,
        ge=1,
        le=1_000_000,
        description="most requests with a wrong key that one address may send in a minute before "
        "the next ones are answered with 429, in each API process",
    )

    @property
    def asks_for_keys(self) -> Literal["auto", "required", "off"]:
        """Whether requests need a key."""
        return "off" if self.insecure_no_auth else self.auth

    @model_validator(mode="after")
    def _one_answer(self) -> Self:
        if self.insecure_no_auth and self.auth == "required":
            raise ValueError(
                "`required` contradicts --insecure-no-auth (TASKQ_INSECURE_NO_AUTH): leave one out"
            )
        return self
