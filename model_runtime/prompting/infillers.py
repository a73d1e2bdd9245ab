"""The open masked-diffusion models that are known: one record each. Plain data, and how a checkpoint is
matched with its record.

What a record says of ids, shift, layout and sampler is what its authors' code does; `tests` hold the samplers
to it. No weights of them have been run on the machines that built this.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from model_runtime.diffusion import masked, masked_rules
from model_runtime.diffusion.hole_length import CandidateLengths, FillerEnds, LengthPolicy
from model_runtime.diffusion.masked import Marks
from model_runtime.diffusion.token_choice import TokenChoice, negative_entropy, probability
from model_runtime.prompting.profiles import Profile

COMMIT_GAP = 0.9  # not measured on these weights: as for other models (`profiles`)
END = 151643  # <|endoftext|> of the Qwen2.5 tokenizer


@dataclass(frozen=True)
class Infiller:
    """`names`: the special tokens by id; a tokenizer that has others at these ids is another model's."""

    id: str  # on the Hugging Face hub
    licence: str
    model_type: str  # in its config.json
    backbone: Literal["qwen2", "llama"]
    names: Mapping[int, str]
    marks: Marks
    bos: int | None  # opens a canvas
    eos: int | None  # closes a canvas
    pad: int  # fills up rows of a batch, and is never read
    shifted: bool  # the output at position p - 1 is the token at p
    rule: masked.Rule
    choice: TokenChoice
    steps: int  # at most
    published: Mapping[str, float]  # HumanEval-Infilling single-line, per cent passed: by kind of length

    @property
    def finds_length(self) -> bool:
        return self.marks.expand is not None

    def policy(self, *, exact: bool = False) -> masked.Policy:
        """`exact`: as its authors run it; otherwise a fill stops once it is decided, and a schedule is no
        longer than the hole."""
        return masked.Policy(
            self.rule,
            self.choice,
            self.marks,
            max_steps=self.steps,
            stretched=exact,
            gap=None if exact else COMMIT_GAP,
        )


_DREAM_NAMES = {151666: "<|mask|>", 151665: "<|beginoftext|>", END: "<|endoftext|>"}
DREAMON = Infiller(
    id="Dream-org/DreamOn-v0-7B",
    licence="Apache-2.0",
    model_type="Dream",
    backbone="qwen2",
    names={**_DREAM_NAMES, 151667: "<|expand|>"},
    marks=Marks(mask=151666, expand=151667, delete=END),
    bos=151665,
    eos=END,
    pad=END,
    shifted=True,
    rule=masked_rules.Expanding(),
    choice=TokenChoice(negative_entropy, temperature=0.2, top_p=0.9),
    steps=256,
    published={"length of its own": 90.8},
)
DREAM_CODER = replace(
    DREAMON,
    id="Dream-org/Dream-Coder-v0-Base-7B",
    names=_DREAM_NAMES,
    marks=Marks(mask=151666),
    rule=masked_rules.scheduled,
    choice=TokenChoice(negative_entropy, temperature=0.1, top_p=0.95),
    steps=64,
    published={"best fixed length": 72.6, "true length": 93.3},
)
OPEN_DCODER = Infiller(
    id="fredzzp/open-dcoder-0.5B",
    licence="code Apache-2.0, weights not stated",
    model_type="qwen2",
    backbone="qwen2",
    names={151665: "<M>", END: "<|endoftext|>"},
    marks=Marks(mask=151665),
    bos=None,
    eos=None,
    pad=END,
    shifted=True,
    rule=masked_rules.revisable,
    choice=TokenChoice(probability, temperature=0.6, top_p=0.95),
    steps=64,
    published={"fixed length": 32.5, "true length": 77.4},
)
A2D = replace(
    OPEN_DCODER,
    id="dllm-hub/Qwen2.5-Coder-0.5B-Instruct-diffusion-mdlm-v0.1",
    licence="Apache-2.0",
    model_type="a2d-qwen2",
    names={151665: "<|mask|>", END: "<|endoftext|>"},
    shifted=False,
    rule=masked_rules.scheduled,
    choice=TokenChoice(probability),
    published={},
)
KNOWN = (DREAMON, DREAM_CODER, OPEN_DCODER, A2D)
MODEL_TYPES = frozenset(each.model_type for each in KNOWN)
Named = Callable[[int], "str | None"]  # what a tokenizer calls an id


class Unmatched(Exception):
    """The message says what is wrong with the ids, for a person."""


def match(config: Mapping[str, Any], named: Named) -> Infiller:
    """The record of a checkpoint, by its config.json and its tokenizer. Raises Unmatched."""
    kind = config.get("model_type")
    records = [each for each in KNOWN if each.model_type == kind]
    problems = [_problem(each, config, named) for each in records]
    for record, problem in zip(records, problems, strict=True):
        if not problem:
            return record
    if not records:
        raise Unmatched(f"a {kind!r} is no masked-diffusion model that is known here")
    raise Unmatched(problems[-1])


def _problem(record: Infiller, config: Mapping[str, Any], named: Named) -> str:
    for number, name in record.names.items():
        if (found := named(number)) != name:
            called = "no token has it" if found is None else f"the tokenizer has {found!r} there"
            return f"{record.id} has the token {name} as id {number}, but {called}"
    if (mask := config.get("mask_token_id")) not in (None, record.marks.mask):
        return f"config.json names {mask} as the mask, {record.id} has {record.marks.mask}"
    if (rows := config.get("vocab_size", 0)) <= max(record.names):
        return f"the table of tokens has {rows} rows, but {record.id} has an id {max(record.names)}"
    return ""


def profile(record: Infiller, *, window: int, special: frozenset[int], exact: bool = False) -> Profile:
    """Prompt and canvas share the `window`: half of it each. `special`: ids that are no text."""
    canvas = window // 2
    length: LengthPolicy = CandidateLengths()
    if record.finds_length and record.marks.delete is not None:
        length = FillerEnds(record.marks.delete)
    return Profile(
        context=window - canvas,
        context_step=16,
        canvas=canvas,
        head=canvas // 4,
        slot=canvas // 2,
        suffix=canvas // 8,
        bos=() if record.bos is None else (record.bos,),
        end=record.pad,
        first_text_id=0,
        filler=record.marks.delete if record.finds_length else None,
        policy=record.policy(exact=exact),
        length=length,
        drafts=4,
        composed=0,  # not measured with such a model
        scored=6,  # so not used
        mended=1,
        written=0,
        heal=False,
        special=special,
    )
