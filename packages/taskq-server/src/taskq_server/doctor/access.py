"""Checks of who may call the API."""

from taskq_server.crud import api_keys
from taskq_server.doctor.findings import Finding, Patient, well, wrong

_MAKE_ONE = "make one with `taskq-server keys create NAME --scope SCOPE`"


async def exposure(patient: Patient) -> Finding:
    """Look for an API that others reach and that asks for no key."""
    settings = patient.settings
    if settings.asks_for_keys != "off":
        return well("keys are asked for, or will be as soon as there is one")
    if not settings.is_local:
        return wrong(
            f"whoever reaches {settings.host} may do everything, because TASKQ_AUTH is off: set it "
            "to required, or listen on 127.0.0.1"
        )
    return well("no key is asked for, on an address of this machine only")


async def keys(patient: Patient) -> Finding:
    """Look for an API that opens to nobody, or to everybody behind a proxy."""
    settings = patient.settings
    if settings.asks_for_keys == "off":
        return well("no key is needed")
    if settings.admin_key_file is not None:
        return well("TASKQ_ADMIN_KEY_FILE has a key")
    now = await patient.database.now()
    if await patient.database.read(lambda c: api_keys.any_opens(c, now)):
        return well("there are keys")
    if await patient.database.read(api_keys.any_exists):
        return wrong(f"every key has expired or was revoked, so nobody may call: {_MAKE_ONE}")
    if not settings.may_open:
        return wrong(f"keys are asked for, and there is none, so nobody may call: {_MAKE_ONE}")
    if settings.trusted_proxies:
        return wrong(
            "TASKQ_TRUSTED_PROXIES says that a proxy lets others in, and no key is asked for until "
            f"the first is made: set TASKQ_AUTH=required, and {_MAKE_ONE}"
        )
    return well("there is no key yet, and until then this machine needs none")
