"""Redis as a doorbell: ring workers, tell waiters. Redis never holds the only copy of anything."""
