"""Examples in fill-in-the-middle order."""

from __future__ import annotations

from model_runtime.training import fim
from model_runtime.training.batches import Mix
from model_runtime.training.vocabulary import BOS, EOS, MIDDLE, PAD, SUFFIX
from tests.model_runtime.training.examples import maker
from tests.support import tiny


def test_an_example_put_back_in_order_is_the_file() -> None:
    decode, source = tiny.tokenizer().decode, tiny.SOURCE + "\n"
    made = maker(mix=Mix(examples=6), short=True)
    batch = made.draw(3, rows=3, canvases=0, width=96, length=512)
    assert batch.examples
    assert batch.examples.ids.shape == (18, fim.WIDTH)
    assert batch.cuts.shape == (3, 0)
    near = set()
    for at, (row, answer) in enumerate(zip(*batch.examples[:2], strict=True)):
        ids = [i for i in row.tolist() if i != PAD]
        suffix, middle = ids.index(SUFFIX), ids.index(MIDDLE)
        assert suffix == 0
        assert ids[-1] == EOS
        begin = int(answer.nonzero()[0])
        assert answer.nonzero().flatten().tolist() == [*range(begin, len(ids))]
        near.add(begin - middle - 1)
        following = [i for i in ids[1:middle] if i != EOS]
        assert 0 < len(following) <= fim.ORDER.most
        assert len(ids) - 1 > begin > middle
        before = batch.sequence[at // 6, : batch.examples.cuts.flatten()[at]].tolist()
        before = before[len(before) - before[::-1].index(BOS) :]
        assert decode(before + ids[middle + 1 : -1] + following) in source
    assert max(near) > fim.ORDER.near  # the head's come after those
