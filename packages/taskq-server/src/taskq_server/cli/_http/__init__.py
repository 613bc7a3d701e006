"""HTTP on sockets: uvicorn, with limits for heads, connections and slow senders."""
