"""`python -m model_runtime`: one worker, started by the first client that needs it.

Imports nothing large: torch is imported in the engine's thread, while the socket already accepts.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import faulthandler
import logging
import logging.handlers
import os
import sys
from pathlib import Path

import filelock
import msgspec

from model_runtime import protocol
from model_runtime.daemon import endpoint, serve
from model_runtime.network import process_memory, threads
from model_runtime.protocol import Choice

log = logging.getLogger("model_runtime")

LOG_BYTES = 1_000_000
LOCK_S = 10.0  # how long a predecessor may take to leave
JOIN_S = 2.0  # how long the engine's last step may take when the worker stops


def main() -> int:
    parser = argparse.ArgumentParser(prog="model_runtime", description="The resident infill-ls worker.")
    parser.add_argument("--endpoint", type=Path, required=True, help="socket to listen at")
    for field in msgspec.structs.fields(Choice):
        parser.add_argument(f"--{field.name}", default=field.default)
    parser.add_argument(
        "--idle-minutes", type=float, default=10, help="unload the model then, leave later; 0: stay for ever"
    )
    parser.add_argument("--stuck-seconds", type=float, default=serve.STUCK_S, help="give up on one step then")
    parser.add_argument("--engine", default="model_runtime.backends:load_engine", help="module:function")
    parser.add_argument(
        "--loopback", action="store_true", default=endpoint.LOOPBACK, help="TCP and a token, no socket file"
    )
    args = parser.parse_args()
    faulthandler.enable()
    os.umask(0o077)  # whatever a worker writes is this user's
    threads.configure()
    process_memory.configure()
    choice = Choice(**{name: getattr(args, name) for name in Choice.__struct_fields__})
    _log_to(protocol.log_path(choice))
    try:
        return _serve(choice, args)
    except filelock.Timeout:
        problem = f"another worker serves {args.endpoint}"
    except OSError as error:
        problem = f"cannot serve: {error}"
    log.error("%s", problem)
    print(problem, file=sys.stderr)
    return 1


def _serve(choice: Choice, args: argparse.Namespace) -> int:
    protocol.private_folder(args.endpoint.parent)
    lock = filelock.FileLock(args.endpoint.with_suffix(".lock"))
    lock.acquire(timeout=LOCK_S)  # held until the process ends, however it ends
    daemon = serve.Daemon(
        serve.Options(
            endpoint=args.endpoint,
            choice=choice,
            idle_s=args.idle_minutes * 60,
            engine=args.engine,
            loopback=args.loopback,
            stuck_s=args.stuck_seconds,
        )
    )
    asyncio.run(daemon.run())
    daemon.engine_thread.join(JOIN_S)
    logging.shutdown()
    if daemon.engine_thread.is_alive():
        os._exit(0)  # it is inside a long step or a load; nobody waits for it
    return 0


def _log_to(path: Path) -> None:
    """Log to a rotating file, readable by this user only. A worker that cannot write one works without."""
    logging.raiseExceptions = False
    logging.getLogger().setLevel(logging.WARNING)
    log.setLevel(logging.INFO)
    with contextlib.suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handler = logging.handlers.RotatingFileHandler(
            path, maxBytes=LOG_BYTES, backupCount=2, encoding="utf-8"
        )
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        logging.getLogger().addHandler(handler)


if __name__ == "__main__":
    sys.exit(main())
