"""Two of vLLM's kernels in torch, by its own way of replacing one: they read whole rows of logits, which
takes the interpreter seconds. What they compute is the same; nothing else of vLLM is touched.
"""


def topk_log_softmax(output, logits, stride, ids, ids_stride, topk, vocab_size, BLOCK_SIZE, TOPK_BLOCK_SIZE):
    output.copy_(logits.float().log_softmax(-1).gather(1, ids[:, :topk]))


def ranks(output, logits, stride, token_ids, vocab_size, BLOCK_SIZE):
    chosen = logits.gather(1, token_ids.long()[:, None])
    output.copy_((logits >= chosen).sum(-1))


def register():
    from vllm.triton_utils.dispatcher import register_kernels

    module = "vllm.v1.worker.gpu.sample.logprob"
    register_kernels(
        {f"{module}._topk_log_softmax_kernel": topk_log_softmax, f"{module}._ranks_kernel": ranks}
    )
