"""Bodies of requests: read them, parse strict JSON, and check large ones in pieces."""
