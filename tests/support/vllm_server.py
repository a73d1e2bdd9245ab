"""A stand-in for `vllm serve`: a real HTTP server process over a model folder of ours.

Requests are judged by vLLM's rules (`vllm_rules`) and denoised by its sampler (`vllm_sampler`).
`python -m tests.support.vllm_server --model embedded` prints its port.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import random
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from tests.support.paths import EMBEDDED
from tests.support.vllm_rules import Accepted, Deadly, Invalid, Served, accept

from . import faulty_server

CANVAS = 32  # tokens at a time in the answer to a chat


class Server(faulty_server.Server):
    def __init__(self, args: argparse.Namespace) -> None:
        super().__init__(Handler, args)
        self.folder = EMBEDDED if args.model == "embedded" else Path(args.model)
        self.tokenizer = Tokenizer.from_file(str(self.folder / "tokenizer.json"))
        config = json.loads((self.folder / "config.json").read_bytes())
        canvas, vocabulary = args.canvas or config["canvas_length"], config["text_config"]["vocab_size"]
        self.served = Served(canvas, vocabulary, max_steps=args.steps, model_len=args.model_len)
        self.alike = args.alike
        self.lock = threading.Lock()

    def encode(self, text: str) -> list[int]:
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    @functools.cached_property
    def denoiser(self) -> Any:
        """Loaded at the first valid request, as refusing needs no torch."""
        import torch

        from model_runtime.loading import model
        from model_runtime.protocol import Choice

        torch.set_num_threads(1)
        return model.load(Choice(model=str(self.folder), device="cpu")).denoiser

    def noise(self, width: int) -> list[int]:
        return [random.randrange(self.served.vocabulary) for _ in range(width)]


class Handler(faulty_server.Handler):
    server: Server

    def card(self) -> dict[str, Any]:
        return super().card() | {"root": None, "max_model_len": self.server.served.model_len}

    def respond(self, body: Any) -> None:
        if self.path == "/tokenize":
            self.answer(200, {"tokens": self.server.encode(body["prompt"])})
        elif self.path == "/v1/completions":
            self.complete(body)
        elif self.path == "/v1/chat/completions":
            self.chat(body)
        else:
            self.refuse(404, "Not Found")

    def complete(self, body: dict[str, Any]) -> None:
        if self.server.fault == "old":  # an autoregressive model, or a vLLM before 0.31
            body["vllm_xargs"] = {}
        try:
            request = accept(body, self.server.served)
        except Invalid as error:
            self.refuse(400, str(error))
            return
        except Deadly:
            os._exit(1)
        with self.server.lock:
            choices = [self.choice(i, prompt, request) for i, prompt in enumerate(request.prompts)]
        usage = {"prompt_tokens": 1, "total_tokens": 1, "completion_tokens": 1}
        self.answer(200, {"id": "c", "model": self.server.name, "choices": choices, "usage": usage})

    def choice(self, index: int, prompt: list[int], request: Accepted) -> dict[str, Any]:
        server = self.server
        if server.fault == "old":
            return {
                "index": index,
                "text": "x",
                "token_ids": [9],
                "finish_reason": "length",
                "logprobs": None,
            }
        from tests.support.vllm_sampler import denoised

        seed = (request.seed or server.noise(request.width))[: request.room]
        pinned = [at for at in request.pinned if at < request.room]
        most, alike = server.served.max_steps, server.alike
        ids, logp = denoised(server.denoiser, prompt, seed, pinned, request.steps, most, alike)
        choice: dict[str, Any] = {"index": index, "text": server.tokenizer.decode(ids), "token_ids": ids}
        choice["finish_reason"], choice["logprobs"] = "length", None
        if request.logprobs is not None:
            top = [{t: float(row[t]) for t in row.topk(request.logprobs).indices.tolist()} for row in logp]
            said = [each | {t: float(row[t])} for each, row, t in zip(top, logp, ids, strict=False)]
            choice["logprobs"] = {
                "tokens": [f"token_id:{t}" for t in ids],
                "token_logprobs": [each[t] for each, t in zip(said, ids, strict=True)],
                "top_logprobs": [{f"token_id:{t}": lp for t, lp in each.items()} for each in said],
                "text_offset": [0] * len(ids),
            }
        return choice

    def chat(self, body: dict[str, Any]) -> None:
        """Answers with whatever the small model writes."""
        if {"seed", "response_format"} & set(body) or body.get("temperature", 1.0) != 1.0:
            self.refuse(400, "not yet supported with diffusion models.")
        elif body.get("stream"):
            self.events(self.canvases(body))
        else:
            (said,) = (event["choices"][0].pop("delta") for event in self.canvases(body | {"max_tokens": 1}))
            self.answer(200, {"choices": [{"index": 0, "message": said, "finish_reason": "length"}]})

    def canvases(self, body: dict[str, Any]) -> Iterator[Any]:
        """The events of a chat's stream, one for each canvas as soon as it is denoised."""
        from tests.support.vllm_sampler import denoised

        said = "".join(message["content"] for message in body["messages"])
        prompt = [2, *self.server.encode(said)][-512:]
        count = -(-body["max_tokens"] // CANVAS)
        for number in range(count):
            noise = self.server.noise(CANVAS)
            with self.server.lock:
                ids, _ = denoised(self.server.denoiser, prompt, noise, [], 4, 4, self.server.alike)
            prompt += ids
            reason = "length" if number == count - 1 else None
            said = {"content": self.server.tokenizer.decode(ids)}
            yield {"choices": [{"index": 0, "delta": said, "finish_reason": reason}]}


def main() -> None:
    parser = faulty_server.arguments()
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--canvas", type=int, default=0, help="0: the checkpoint's")
    parser.add_argument("--model-len", type=int, default=4096)
    parser.add_argument("--steps", type=int, default=48)
    parser.add_argument(
        "--alike", action="store_true", help="where vLLM differs from our own denoiser: as that"
    )
    parser.add_argument("--enable-lora", action="store_true")
    args = parser.parse_args()
    if args.enable_lora:
        parser.error("DiffusionGemmaForConditionalGeneration does not support LoRA yet.")
    faulty_server.serve(Server(args))


if __name__ == "__main__":
    main()
