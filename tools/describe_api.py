"""Write what the API promises: the OpenAPI document, and what the client knows of it.

    python tools/describe_api.py            # all of it, after a change of the API
    python tools/describe_api.py --check    # is what the client knows that of the document?

`docs/openapi.json` is what a server answers that knows no handlers; a test compares the two. The
rules of the fake server are what a request may say, and the limits are bounds that the client keeps
itself: both are taken out of the document, so that the client needs no code of the server.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
DOCUMENT = ROOT / "docs" / "openapi.json"
CLIENT = ROOT / "packages" / "taskq-client" / "src" / "taskq_client"
RULES = CLIENT / "testing" / "_rules.py"
LIMITS = CLIENT / "_limits.py"

HEAD = '''\
"""What a request may say: taken from docs/openapi.json by tools/describe_api.py, do not edit."""

# ruff: noqa: E501
from typing import Any
'''
HEAD_OF_LIMITS = '''\
"""Bounds of requests: taken from docs/openapi.json by tools/describe_api.py, do not edit."""
'''
BODIES = (
    *("TaskCreate", "TaskBatch", "TaskUpdate", "WaitRequest", "QueuePause"),
    *("BulkCreate", "BulkFilter", "BulkChanges"),
    *("ScheduleWrite", "TaskTemplate", "SchedulePatch", "TemplatePatch", "SchedulePause"),
)
REMARKS = {"title", "description", "examples", "additionalProperties"}


def main() -> None:
    """Write or compare, as the command line says."""
    if "--check" not in sys.argv:
        DOCUMENT.write_text(served_document(), encoding="utf-8")
    document = kept_document()
    for path, code in ((RULES, rules_of(document)), (LIMITS, limits_of(document))):
        text = formatted(code, path)
        if "--check" not in sys.argv:
            path.write_text(text, encoding="utf-8")
        elif path.read_text(encoding="utf-8") != text:
            sys.exit(f"{path.name} is not what docs/openapi.json says: run tools/describe_api.py")


def served_document() -> str:
    """Return the document of the server as it is kept."""
    from taskq_server.main import create_app

    return json.dumps(create_app().openapi(), indent=1, ensure_ascii=False) + "\n"


def kept_document() -> dict[str, Any]:
    """Return the document that is kept."""
    document: dict[str, Any] = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    return document


def rules_of(document: dict[str, Any]) -> str:
    """Return the text of the module."""
    schemas = {name: bounds(document["components"]["schemas"][name]) for name in BODIES}
    operations = {
        operation["operationId"]: {
            "method": method.upper(),
            "path": path,
            "parts": parameters(operation, "path"),
            "query": parameters(operation, "query"),
            "headers": parameters(operation, "header"),
            **body(operation),
            "statuses": tuple(int(one) for one in operation["responses"] if one < "400"),
        }
        for path, item in document["paths"].items()
        for method, operation in item.items()
    }
    problems = {
        code: (example["value"]["status"], example["value"]["title"])
        for item in document["paths"].values()
        for operation in item.values()
        for answer in operation["responses"].values()
        for code, example in problem_examples(answer).items()
    }
    tables = {
        "SCHEMAS: dict[str, Any]": schemas,
        "OPERATIONS: dict[str, Any]": operations,
        "PROBLEMS: dict[str, tuple[int, str]]": dict(sorted(problems.items())),
    }
    return HEAD + "".join(f"\n{name} = {table!r}\n" for name, table in tables.items())


def limits_of(document: dict[str, Any]) -> str:
    """Return the text of the module of limits."""
    schemas = document["components"]["schemas"]
    operations = {
        operation["operationId"]: operation
        for item in document["paths"].values()
        for operation in item.values()
    }
    limits = {
        "KEY_LENGTH": parameters(operations["submit"], "header")["Idempotency-Key"]["maxLength"],
        "BATCH_ITEMS": schemas["TaskBatch"]["properties"]["items"]["maxItems"],
        "WAIT_IDS": schemas["WaitRequest"]["properties"]["ids"]["maxItems"],
        "KEEP_SECONDS": bounds(schemas["TaskCreate"]["properties"]["keep_seconds"])["maximum"],
        "STREAM_SECONDS": parameters(operations["events"], "query")["timeout_seconds"]["maximum"],
    }
    return HEAD_OF_LIMITS + "\n" + "".join(f"{name} = {limit}\n" for name, limit in limits.items())


def bounds(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema without remarks.

    What may be null is of two types, and so is a list for which one item may stand.
    """
    if "$ref" in schema:
        return {"$ref": schema["$ref"].rpartition("/")[2]}
    kept = {key: value for key, value in schema.items() if key not in REMARKS | {"anyOf"}}
    if "anyOf" in schema:
        *item, one = (bounds(each) for each in schema["anyOf"] if each != {"type": "null"})
        assert item in ([], [one.get("items")]), schema
        kept = {**one, "nullable": True, **({"or_one": True} if item else {}), **kept}
    if "properties" in schema:
        kept["properties"] = {key: bounds(one) for key, one in schema["properties"].items()}
    if "items" in schema:
        kept["items"] = bounds(schema["items"])
    return kept


def parameters(operation: dict[str, Any], place: str) -> dict[str, Any]:
    """Return the schemas of the parameters of an operation in one place."""
    found = [one for one in operation.get("parameters", ()) if one["in"] == place]
    return {one["name"]: bounds(one["schema"]) for one in found}


def body(operation: dict[str, Any]) -> dict[str, Any]:
    """Return what an operation says about its body, if it takes one."""
    asked = operation.get("requestBody", {})
    content = asked.get("content", {})
    if not content:
        return {}
    (name,) = {bounds(one["schema"])["$ref"] for one in content.values()}
    is_optional = not asked.get("required", False)
    return {"body": name, "media_types": tuple(content), "optional_body": is_optional}


def problem_examples(answer: dict[str, Any]) -> dict[str, Any]:
    """Return the examples of problems that an answer may be."""
    content = answer.get("content", {}).get("application/problem+json", {})
    found: dict[str, Any] = content.get("examples", {})
    return found


def formatted(code: str, path: Path) -> str:
    """Return code as ruff writes it to a file."""
    command = [sys.executable, "-m", "ruff", "format", "--stdin-filename", str(path), "-"]
    done = subprocess.run(command, input=code, capture_output=True, text=True, check=True)
    return done.stdout


if __name__ == "__main__":
    main()
