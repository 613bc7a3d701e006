"""Redis as a doorbell: ring workers, tell waiters. Nothing here is ever the only copy."""
