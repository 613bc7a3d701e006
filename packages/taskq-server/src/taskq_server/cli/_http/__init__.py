"""HTTP on sockets by uvicorn, with limits for heads, connections and slow senders."""
