"""`python -m model_runtime.remote.check`: which servers of a choice can be used, for `infill-ls doctor`.

Prints JSON: {"error": message} or {"servers": [[address, whether it can be used, what it is]]}. Sends no text
of the user's, only the probes of a first contact.
"""

from __future__ import annotations

import argparse
import asyncio
import json

from model_runtime.diffusion.faults import ModelError
from model_runtime.protocol import Choice
from model_runtime.remote import loading
from model_runtime.remote.faults import Fault
from model_runtime.remote.http import Http
from model_runtime.remote.loading import Meet

ANSWER_S = 20.0
_SAYS = {  # of a server's kind, for a person
    "canvas": "denoises on its canvas",
    "fim": "completes at /v1/fim/completions",
    "infill": "completes at /infill",
    "suffix": "completes with a suffix",
    "chat": "is asked by chat",
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="model_runtime.remote.check")
    for name in ("model", "backend", "url"):
        parser.add_argument(f"--{name}", default="")
    args = parser.parse_args()
    print(json.dumps(asyncio.run(checked(Choice(model=args.model, backend=args.backend, url=args.url)))))


async def checked(choice: Choice) -> dict[str, object]:
    """What is printed."""
    http = Http(answer_s=ANSWER_S)
    try:
        if choice.backend == "openai":
            urls, meet = loading.text_servers(choice, http)
        else:
            from model_runtime.loading import prompt_setup  # only here: this loads torch

            prompting = prompt_setup.load(loading.described(choice.model))
            urls, meet = loading.canvas_servers(choice, http, prompting)
    except ModelError as error:
        return {"error": str(error)}
    return {"servers": await asyncio.gather(*(_one(url, meet) for url in urls))}


async def _one(url: str, meet: Meet) -> tuple[str, bool, str]:
    try:
        found = await meet(url)
    except Fault as fault:
        return url, False, str(fault)
    note = "" if found.logprobs else "; gives no log-probabilities, so that every text counts as half sure"
    return url, True, f"{found.model} {_SAYS[found.kind]}{note}"


if __name__ == "__main__":
    main()
