"""`python make_gguf.py tiny|plain TOKENIZER OUT`: a tiny random Llama with the embedded model's tokenizer.

Three of that tokenizer's spare tokens become those for filling in the middle, except in `plain`. Run by the
environment that `.ci/get_llama.sh` makes, which has `gguf`; nothing of infill-ls is imported.
"""

import json
import sys

import gguf
import numpy as np

WIDTH, LAYERS, HEADS, INNER, CONTEXT = 64, 2, 2, 128, 4096
FIM = {"fim_pre": 4, "fim_suf": 5, "fim_mid": 6}  # <s4>, <s5>, <s6>
TEMPLATE = "{% for message in messages %}{{ message['content'] }}\n{% endfor %}"


def main(kind: str, tokenizer: str, out: str) -> None:
    with open(tokenizer) as file:
        model = json.load(file)["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].get)
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
    writer = gguf.GGUFWriter(out, "llama")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_merges(merges)
    control, normal = gguf.TokenType.CONTROL, gguf.TokenType.NORMAL
    writer.add_token_types([control if n < 8 else normal for n in range(len(tokens))])
    writer.add_bos_token_id(2)
    writer.add_eos_token_id(1)
    writer.add_add_bos_token(True)
    for name, token in FIM.items() if kind == "tiny" else ():
        writer.add_uint32(f"tokenizer.ggml.{name}_token_id", token)
    writer.add_chat_template(TEMPLATE)
    draw = np.random.default_rng(0)

    def add(name: str, *shape: int, scale: float = 0.1) -> None:
        writer.add_tensor(name, (draw.standard_normal(shape) * scale).astype(np.float32))

    add("token_embd.weight", len(tokens), WIDTH, scale=1.0)
    add("output.weight", len(tokens), WIDTH)  # of its own: a tied one says the last token again
    writer.add_tensor("output_norm.weight", np.ones(WIDTH, np.float32))
    for layer in range(LAYERS):
        for norm in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"blk.{layer}.{norm}.weight", np.ones(WIDTH, np.float32))
        for part in ("q", "k", "v", "output"):
            add(f"blk.{layer}.attn_{part}.weight", WIDTH, WIDTH)
        for part in ("gate", "up"):
            add(f"blk.{layer}.ffn_{part}.weight", INNER, WIDTH)
        add(f"blk.{layer}.ffn_down.weight", WIDTH, INNER)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


main(*sys.argv[1:])
