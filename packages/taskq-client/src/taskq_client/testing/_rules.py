"""What a request may say: taken from docs/openapi.json by tools/describe_api.py, do not edit."""

# ruff: noqa: E501
from typing import Any

SCHEMAS: dict[str, Any] = {
    "TaskCreate": {
        "properties": {
            "handler": {
                "type": "string",
                "maxLength": 128,
                "pattern": "^[A-Za-z0-9_][A-Za-z0-9_.:/-]*$",
            },
            "payload": {"type": "object"},
            "title": {
                "type": "string",
                "maxLength": 255,
                "minLength": 1,
                "pattern": "^[^\\s\\x00-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069](?:[^\\x00-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069]*[^\\s\\x00-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069])?$",
                "nullable": True,
            },
            "description": {
                "type": "string",
                "maxLength": 10000,
                "pattern": "^[^\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069]*$",
                "nullable": True,
            },
            "priority": {
                "type": "string",
                "enum": ["low", "normal", "high", "urgent"],
                "default": "normal",
            },
            "tags": {
                "items": {
                    "type": "string",
                    "maxLength": 64,
                    "minLength": 1,
                    "pattern": "^[^\\s\\x00-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069](?:[^\\x00-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069]*[^\\s\\x00-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069])?$",
                },
                "type": "array",
                "maxItems": 32,
            },
            "queue": {
                "type": "string",
                "maxLength": 64,
                "pattern": "^[A-Za-z0-9_][A-Za-z0-9_.:/-]*$",
                "default": "default",
            },
            "run_at": {
                "type": "string",
                "format": "date-time",
                "formatExclusiveMaximum": "9000-01-01T00:00:00+00:00",
                "formatMinimum": "1970-01-01T00:00:00+00:00",
                "nullable": True,
            },
            "delay_seconds": {
                "type": "number",
                "maximum": 31536000.0,
                "minimum": 0.0,
                "nullable": True,
            },
            "timeout_seconds": {
                "type": "number",
                "maximum": 86400.0,
                "exclusiveMinimum": 0.0,
                "nullable": True,
            },
            "max_retries": {"type": "integer", "maximum": 100.0, "minimum": 0.0, "nullable": True},
            "backoff_base_seconds": {
                "type": "number",
                "maximum": 86400.0,
                "exclusiveMinimum": 0.0,
                "nullable": True,
            },
            "backoff_max_seconds": {
                "type": "number",
                "maximum": 86400.0,
                "exclusiveMinimum": 0.0,
                "nullable": True,
            },
        },
        "type": "object",
        "required": ["handler"],
    },
    "TaskBatch": {
        "properties": {
            "items": {
                "items": {"$ref": "TaskCreate"},
                "type": "array",
                "maxItems": 1000,
                "minItems": 1,
            }
        },
        "type": "object",
        "required": ["items"],
    },
    "TaskUpdate": {
        "properties": {
            "title": {
                "type": "string",
                "maxLength": 255,
                "minLength": 1,
                "pattern": "^[^\\s\\x00-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069](?:[^\\x00-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069]*[^\\s\\x00-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069])?$",
                "nullable": True,
            },
            "description": {
                "type": "string",
                "maxLength": 10000,
                "pattern": "^[^\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069]*$",
                "nullable": True,
            },
            "tags": {
                "items": {
                    "type": "string",
                    "maxLength": 64,
                    "minLength": 1,
                    "pattern": "^[^\\s\\x00-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069](?:[^\\x00-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069]*[^\\s\\x00-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069])?$",
                },
                "type": "array",
                "maxItems": 32,
                "nullable": True,
            },
            "priority": {
                "type": "string",
                "enum": ["low", "normal", "high", "urgent"],
                "nullable": True,
            },
            "max_retries": {"type": "integer", "maximum": 100.0, "minimum": 0.0, "nullable": True},
            "timeout_seconds": {
                "type": "number",
                "maximum": 86400.0,
                "exclusiveMinimum": 0.0,
                "nullable": True,
            },
            "run_at": {
                "type": "string",
                "format": "date-time",
                "formatExclusiveMaximum": "9000-01-01T00:00:00+00:00",
                "formatMinimum": "1970-01-01T00:00:00+00:00",
                "nullable": True,
            },
        },
        "type": "object",
    },
    "WaitRequest": {
        "properties": {
            "ids": {
                "items": {"type": "string", "format": "uuid"},
                "type": "array",
                "maxItems": 1000,
                "minItems": 1,
            },
            "timeout_seconds": {"type": "number", "maximum": 60.0, "minimum": 0.0, "default": 20.0},
        },
        "type": "object",
        "required": ["ids"],
    },
}

OPERATIONS: dict[str, Any] = {
    "submit": {
        "method": "POST",
        "path": "/tasks",
        "query": {},
        "headers": {
            "Idempotency-Key": {
                "type": "string",
                "minLength": 1,
                "maxLength": 255,
                "pattern": "^[ -~]*$",
            },
            "Prefer": {"type": "string"},
            "traceparent": {"type": "string"},
        },
        "body": "TaskCreate",
        "media_types": ("application/json",),
        "statuses": (201, 200),
    },
    "list": {
        "method": "GET",
        "path": "/tasks",
        "query": {
            "status": {
                "type": "array",
                "items": {
                    "enum": ["queued", "running", "retrying", "succeeded", "failed", "cancelled"],
                    "type": "string",
                },
            },
            "priority": {
                "type": "array",
                "items": {"enum": ["low", "normal", "high", "urgent"], "type": "string"},
            },
            "tag": {
                "type": "array",
                "items": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 64,
                    "pattern": "^[^\\s\\x00-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069](?:[^\\x00-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069]*[^\\s\\x00-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069])?$",
                },
                "maxItems": 8,
            },
            "handler": {
                "type": "string",
                "maxLength": 128,
                "pattern": "^[A-Za-z0-9_][A-Za-z0-9_.:/-]*$",
            },
            "queue": {
                "type": "string",
                "maxLength": 64,
                "pattern": "^[A-Za-z0-9_][A-Za-z0-9_.:/-]*$",
            },
            "created_after": {
                "type": "string",
                "format": "date-time",
                "formatMinimum": "1970-01-01T00:00:00+00:00",
                "formatExclusiveMaximum": "9000-01-01T00:00:00+00:00",
            },
            "created_before": {
                "type": "string",
                "format": "date-time",
                "formatMinimum": "1970-01-01T00:00:00+00:00",
                "formatExclusiveMaximum": "9000-01-01T00:00:00+00:00",
            },
            "q": {
                "type": "string",
                "minLength": 1,
                "maxLength": 255,
                "pattern": "^[^\\x00-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069]*$",
            },
            "id": {
                "type": "string",
                "minLength": 1,
                "maxLength": 36,
                "pattern": "^(?:[0-9a-f]{1,8}|[0-9a-f]{8}(?:-[0-9a-f]{4}){0,2}-[0-9a-f]{0,4}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{0,12})$",
            },
            "order": {
                "enum": ["-created_at", "created_at"],
                "type": "string",
                "default": "-created_at",
            },
            "limit": {"type": "integer", "maximum": 200, "minimum": 1, "default": 50},
            "cursor": {"type": "string", "minLength": 1, "maxLength": 200},
        },
        "headers": {},
        "statuses": (200,),
    },
    "get": {
        "method": "GET",
        "path": "/tasks/{task_id}",
        "query": {"wait": {"type": "number", "maximum": 60, "minimum": 0}},
        "headers": {"Prefer": {"type": "string"}, "If-None-Match": {"type": "string"}},
        "statuses": (200, 304),
    },
    "update": {
        "method": "PATCH",
        "path": "/tasks/{task_id}",
        "query": {},
        "headers": {"If-Match": {"type": "string"}},
        "body": "TaskUpdate",
        "media_types": ("application/json", "application/merge-patch+json"),
        "statuses": (200,),
    },
    "delete": {
        "method": "DELETE",
        "path": "/tasks/{task_id}",
        "query": {},
        "headers": {},
        "statuses": (204,),
    },
    "cancel": {
        "method": "POST",
        "path": "/tasks/{task_id}/cancel",
        "query": {},
        "headers": {},
        "statuses": (200, 202),
    },
    "retry": {
        "method": "POST",
        "path": "/tasks/{task_id}/retry",
        "query": {},
        "headers": {},
        "statuses": (200,),
    },
    "attempts": {
        "method": "GET",
        "path": "/tasks/{task_id}/attempts",
        "query": {},
        "headers": {},
        "statuses": (200,),
    },
    "events": {
        "method": "GET",
        "path": "/tasks/{task_id}/events",
        "query": {"timeout_seconds": {"type": "number", "maximum": 86400, "minimum": 0}},
        "headers": {"Last-Event-ID": {"type": "string"}},
        "statuses": (200, 204),
    },
    "submit_many": {
        "method": "POST",
        "path": "/tasks/batch",
        "query": {},
        "headers": {
            "Idempotency-Key": {
                "type": "string",
                "minLength": 1,
                "maxLength": 255,
                "pattern": "^[ -~]*$",
            },
            "Prefer": {"type": "string"},
            "traceparent": {"type": "string"},
        },
        "body": "TaskBatch",
        "media_types": ("application/json",),
        "statuses": (201, 200),
    },
    "wait": {
        "method": "POST",
        "path": "/tasks/wait",
        "query": {},
        "headers": {},
        "body": "WaitRequest",
        "media_types": ("application/json",),
        "statuses": (200,),
    },
    "tags": {"method": "GET", "path": "/tags", "query": {}, "headers": {}, "statuses": (200,)},
    "handlers": {
        "method": "GET",
        "path": "/handlers",
        "query": {},
        "headers": {},
        "statuses": (200,),
    },
    "stats": {"method": "GET", "path": "/stats", "query": {}, "headers": {}, "statuses": (200,)},
    "livez": {"method": "GET", "path": "/livez", "query": {}, "headers": {}, "statuses": (200,)},
    "readyz": {"method": "GET", "path": "/readyz", "query": {}, "headers": {}, "statuses": (200,)},
}

PROBLEMS: dict[str, tuple[int, str]] = {
    "body-too-large": (413, "Content too large"),
    "database-unavailable": (503, "Database unavailable"),
    "idempotency-mismatch": (422, "Idempotency key mismatch"),
    "internal-error": (500, "Internal server error"),
    "invalid-cursor": (422, "Invalid cursor"),
    "invalid-header": (400, "Invalid header"),
    "invalid-json": (400, "Invalid JSON"),
    "invalid-payload": (422, "Invalid payload"),
    "invalid-request": (422, "Validation failed"),
    "invalid-transition": (409, "Invalid status transition"),
    "misdirected-request": (421, "Misdirected request"),
    "not-found": (404, "Not found"),
    "quota-exceeded": (422, "Quota exceeded"),
    "task-not-found": (404, "Task not found"),
    "too-many-values": (422, "Too many values"),
    "unknown-handler": (422, "Unknown handler"),
    "unsupported-media-type": (415, "Unsupported media type"),
    "unusable-handler": (422, "Unusable handler schema"),
    "version-mismatch": (412, "Version mismatch"),
}
