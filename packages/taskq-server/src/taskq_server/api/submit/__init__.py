"""`POST /tasks`: the route, and the fast path that answers most of its requests."""
