"""The wire messages between a language server (client) and the worker (daemon).

One closed set of msgspec structs, length-prefixed MessagePack frames, and the address that both sides agree
on. This is the only module of `model_runtime` that `lsp_server` may import, so it knows nothing of tensors,
token ids, tree-sitter or LSP. All text is `str`; times are milliseconds unless a name ends in `_s`.

Every `Infill` is answered by exactly one `Done` or `Refused` with the same id, after zero or more `Draft`s.
When a connection breaks, the client itself answers each request that is still open, with
`Refused(reason="worker-lost")`.

Longer than other modules on purpose: as the only bridge between the two programs it is read as a whole.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
import struct
import tempfile
import warnings
from pathlib import Path
from typing import Literal, TypeVar

import msgspec
import platformdirs

VERSION = 2
MAX_FRAME = 16 * 1024 * 1024  # bytes; a frame that claims more is a protocol error
MAX_SOCKET_PATH = 100  # bytes; the kernel's limit is 108 on Linux, 104 on macOS
MOST_STEPS = 64  # the largest number of denoise steps that a request may ask for
ALTERNATIVES = 4  # fills beside the best that are returned unless a request says otherwise
_LENGTH = struct.Struct(">I")
_Message = TypeVar("_Message")

Reason = Literal[
    "cancelled",  # the client asked for it to stop
    "superseded",  # a newer request for the same document arrived
    "deadline",  # out of time before the first step ended
    "loading",  # the model is not ready within the deadline
    "invalid",  # the request itself cannot be served (no hole, hole too long)
    "instruction",  # the model follows none
    "failed",  # the model produced nothing usable (NaN, out of memory); see `message`
    "busy",  # the worker's queue is full
    "stopping",  # the worker is shutting down
    "worker-lost",  # set by the client: the connection broke
    "worker-down",  # set by the client: the worker keeps failing; `message` says what to do
]

# Where the confidence of a model comes from: a calibration that belongs to it, one fitted here
# (`infill-ls eval --calibrate`), or its own probabilities as they are.
Calibrated = Literal["model", "fitted", "none"]

# What the user is doing: typing, waiting for a completion that they asked for, waiting for a rewrite.
Priority = Literal["automatic", "invoked", "rewrite"]


class Fixed(msgspec.Struct, frozen=True, tag="fixed"):
    """Known text: pinned on the canvas, never changed."""

    text: str


class Slot(msgspec.Struct, frozen=True, tag="slot"):
    """A hole in the canvas: at most `max_tokens` tokens, denoised from noise."""

    max_tokens: int


class Hello(msgspec.Struct, frozen=True, tag="hello"):
    """First message on a connection, in both directions. The worker closes the connection of a client that
    speaks another version. A newer client may first send `Stop`, so that this worker makes room for a newer
    one. These two messages never change."""

    version: int = VERSION
    token: str = ""  # shared secret, where the endpoint is not a private socket
    pid: int = 0  # of the worker, so that the client can end it when it hangs


class PastEdit(msgspec.Struct, frozen=True):
    """Some lines that the user changed, without secrets."""

    path: str
    line: int  # the first, from 1
    before: str  # without the last line's end; empty: there was nothing
    after: str


class NextEdit(msgspec.Struct, frozen=True):
    """A rewrite of the region that `Infill.original` holds, by a model that was made for next edits."""

    format: Literal["sweep", "zeta-2", "zeta-2.1", "mercury"]  # the model's
    path: str  # of the document, as the model is told
    line: int  # of the region's first line, from 1
    cursor: int  # in the region, in code points
    earlier: str  # the region before the last edit
    edits: tuple[PastEdit, ...] = ()  # the last few, the newest last


class Infill(msgspec.Struct, frozen=True, tag="infill"):
    """Fill the slots of a canvas.

    `prefix` is whole lines. It goes to the causal encoder and its cache, so it should change as little as
    possible from keystroke to keystroke. `canvas` is what the denoiser sees around the holes: fixed text (the
    head of the current line, the suffix) and at least one slot.
    """

    id: int  # unique per connection
    document: str  # a newer request for the same document supersedes an older one
    prefix: str
    canvas: tuple[Fixed | Slot, ...]
    language: str = ""
    deadline_ms: int | None = None  # from receipt; at the deadline the best so far is returned
    seed: int = 0
    drafts: bool = False  # stream a Draft after each step
    candidates: int = 1  # how many different fills to denoise; retrieved texts compete with them
    instruction: str = ""  # how to change `original`; refused where the model follows none
    # The text that the hole replaces. Without an instruction it competes with the fills: proofreading.
    original: str = ""
    task: str = ""  # what the hole is for, in words; ignored by a model that follows no instructions
    thinking: bool = False  # the model may think before it carries out an instruction
    image: bytes = b""  # the contents of an image file that belongs to the instruction
    priority: Priority = "automatic"
    context: tuple[str, ...] = ()  # pieces of other text that the model may see, the most relevant last
    tokens: bool = False  # each Draft also says what is on the canvas
    workspace: str = ""  # whose `Texts` drafts may be composed from
    lines: int = 1  # most lines that a text may have
    steps: int | None = None  # at most so many, and at most MOST_STEPS; None: as many as suit the model
    next_edit: NextEdit | None = None  # rewrite `original` with a model for next edits
    alternatives: int = ALTERNATIVES  # at most so many fills beside the best; an evaluation wants them all


class Cancel(msgspec.Struct, frozen=True, tag="cancel"):
    id: int


class StatusRequest(msgspec.Struct, frozen=True, tag="status?"):
    id: int


class Texts(msgspec.Struct, frozen=True, tag="texts"):
    """Other texts of a workspace, from which drafts are composed. They are sent once, not with each
    request, and kept in the worker's memory until the connection ends. No answer."""

    workspace: str  # a name that no other client uses
    language: str = ""
    texts: dict[str, str] = {}  # key -> text without secrets, in place of what had that key
    gone: tuple[str, ...] = ()  # keys whose text is not to be used any more
    renewed: bool = False  # forget all earlier texts of the workspace first


class Feedback(msgspec.Struct, frozen=True, tag="feedback"):
    """How many suggestions were shown and accepted since the last one. Only the worker adds them up, and it
    sends no answer."""

    shown: int = 0
    accepted: int = 0


class Stop(msgspec.Struct, frozen=True, tag="stop"):
    """Ask the worker to finish: pending requests are refused with `stopping`."""


class Token(msgspec.Struct, frozen=True):
    """A piece of the canvas in one step: known text, or one position of a slot."""

    text: str  # what the model would write there; empty where the slot ends
    before: str  # what was there before the step
    state: Literal["pinned", "accepted", "noise"]  # noise: renoised, another random token for the next step
    logprob: float  # of `text`, in nats


class Draft(msgspec.Struct, frozen=True, tag="draft"):
    """The slots' text as it stands after `step` denoise steps."""

    id: int
    step: int
    texts: tuple[str, ...]
    tokens: tuple[Token, ...] = ()  # the whole canvas, if asked for and if the denoiser can say


class Alternative(msgspec.Struct, frozen=True):
    """Another fill of the same slots."""

    texts: tuple[str, ...]
    confidence: float
    sources: tuple[str, ...] = ()


class Done(msgspec.Struct, frozen=True, tag="done"):
    """One text per slot, in canvas order."""

    id: int
    texts: tuple[str, ...]
    confidence: float  # in [0, 1]
    steps: int
    queue_ms: float
    prefill_ms: float
    denoise_ms: float
    complete: bool = True  # False: the deadline cut the denoising short
    alternatives: tuple[Alternative, ...] = ()  # best first
    # Who proposed the texts: "denoiser", "encoder", "draft" (found after similar text), "ngram" (composed),
    # "original", "server".
    sources: tuple[str, ...] = ()


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    id: int
    reason: Reason
    message: str = ""  # one line, for a person


class Percentiles(msgspec.Struct, frozen=True):
    """Of recent fills, in milliseconds."""

    p50: float
    p90: float
    p99: float


class Status(msgspec.Struct, frozen=True, tag="status"):
    id: int
    pid: int
    state: Literal["loading", "ready", "unloaded", "failed"]  # unloaded: a request loads it again
    model: str
    device: str
    message: str  # why the state is `failed`, else empty
    progress: float  # of loading, in [0, 1]
    memory_bytes: int  # resident set of the worker
    clients: int
    queued: int  # waiting, without the one that is running
    served: int
    p50_ms: float | None  # of recent fills, receipt to answer; None before the first
    p90_ms: float | None
    p99_ms: float | None = None
    # The same fills by part: `queue`, `prefill`, `denoise` (all steps), `step` (one of them) and `post`
    # (ranking, and decoding the text). Empty before the first fill.
    parts: dict[str, Percentiles] = {}
    requests: int = 0
    refused: dict[str, int] = {}  # by reason
    shown: int = 0  # suggestions, as the clients reported
    accepted: int = 0
    device_bytes: int = 0  # memory taken on a GPU
    uptime_s: float = 0.0
    servers: dict[str, str] = {}  # that the worker asks: address -> state, for a person
    indexing: bool = False  # not all `Texts` that have come can be composed from yet
    calibrated: Calibrated | None = None  # None while no model is loaded
    dtype: str = ""  # that the model computes in; empty while none is loaded, and where a server computes


ClientMessage = Hello | Infill | Cancel | StatusRequest | Texts | Feedback | Stop
WorkerMessage = Hello | Draft | Done | Refused | Status

_encoder = msgspec.msgpack.Encoder()
client_decoder = msgspec.msgpack.Decoder(ClientMessage)  # what a worker reads
worker_decoder = msgspec.msgpack.Decoder(WorkerMessage)  # what a client reads


class ProtocolError(Exception):
    """The peer sent something that is not a frame of this protocol; drop the connection."""


def pack(message: ClientMessage | WorkerMessage) -> bytes:
    """One frame: 4 bytes big-endian length, then MessagePack. Raises ProtocolError over MAX_FRAME."""
    body = _encoder.encode(message)
    if len(body) > MAX_FRAME:
        raise ProtocolError(f"a message of {len(body)} bytes is over the limit of {MAX_FRAME}")
    return _LENGTH.pack(len(body)) + body


async def read_frame(reader: asyncio.StreamReader) -> bytes | None:
    """The next frame's body, or None at a clean end of stream. Raises ProtocolError."""
    try:
        (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
        if length > MAX_FRAME:
            raise ProtocolError(f"a frame of {length} bytes is over the limit of {MAX_FRAME}")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise ProtocolError("the stream ended inside a frame") from None
        return None
    try:
        return await reader.readexactly(length)
    except asyncio.IncompleteReadError:
        raise ProtocolError("the stream ended inside a frame") from None


async def read_message(
    reader: asyncio.StreamReader, decoder: msgspec.msgpack.Decoder[_Message]
) -> _Message | None:
    """The next message, or None at a clean end of stream. Anything else raises ProtocolError."""
    body = await read_frame(reader)
    if body is None:
        return None
    try:
        return decoder.decode(body)
    # Bad UTF-8 and absurd nesting are not MsgspecErrors.
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise ProtocolError(f"a frame of {len(body)} bytes is no message: {type(error).__name__}") from None


def runtime_dir() -> Path:
    """This user's folder for sockets and locks, created if need be; INFILL_LS_RUNTIME_DIR overrides where.

    Raises PermissionError where other users could write to it."""
    folder = os.environ.get("INFILL_LS_RUNTIME_DIR")
    if not folder:
        with warnings.catch_warnings():  # platformdirs warns where there is no XDG_RUNTIME_DIR
            warnings.simplefilter("ignore")
            folder = platformdirs.user_runtime_dir("infill-ls")
    return private_folder(Path(folder).resolve())


def private_folder(path: Path) -> Path:
    """Create `path` with mode 0700, or make sure that it is a folder of this user that nobody else can write
    to. Raises PermissionError."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if hasattr(os, "geteuid"):
        found = path.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            raise PermissionError(f"{path} is not a folder of this user")
        if stat.S_IMODE(found.st_mode) & 0o022:
            raise PermissionError(f"other users can write to {path}; run: chmod 700 {path}")
    return path


class Choice(msgspec.Struct, frozen=True):
    """What a worker runs, where and how. Clients of the same choice share one worker. The fields are the
    options of the worker's command line."""

    model: str = "embedded"  # or a Hugging Face id, or a folder
    device: str = "auto"
    dtype: str = "auto"
    quantization: str = "none"
    passes: str = "kept"  # or "exact": what a masked-diffusion model keeps between its steps
    adapter: str = ""  # a folder
    backend: str = "local"  # who denoises: this process, or a server at `url`
    url: str = ""


def endpoint_name(choice: Choice) -> str:
    """File stem shared by all clients of one choice, of any version."""
    values = "\0".join(msgspec.structs.astuple(choice))
    return "worker-" + hashlib.sha256(values.encode()).hexdigest()[:12]


def endpoint_path(choice: Choice) -> Path:
    """The worker's socket, or on Windows the file that says where it listens.

    A path that is too long for a socket is replaced by a short one under the system's temporary folder.
    """
    path = runtime_dir() / f"{endpoint_name(choice)}.sock"
    if len(os.fsencode(path)) <= MAX_SOCKET_PATH:
        return path
    owner = os.geteuid() if hasattr(os, "geteuid") else "user"
    short = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
    return private_folder(Path(tempfile.gettempdir()) / f"infill-ls-{owner}") / f"{short}.sock"


def log_path(choice: Choice) -> Path:
    """The worker's log file: with the sockets when INFILL_LS_RUNTIME_DIR is set."""
    folder = os.environ.get("INFILL_LS_RUNTIME_DIR") or platformdirs.user_log_dir("infill-ls")
    return Path(folder).resolve() / f"{endpoint_name(choice)}.log"
