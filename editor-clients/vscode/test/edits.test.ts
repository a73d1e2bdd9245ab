import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { applied, needsConfirmation, ofDocument, type TextEdit } from '../src/edits';

const edit = (line: number, from: number, to: number, newText: string, last = line): TextEdit => ({
  range: { start: { line, character: from }, end: { line: last, character: to } },
  newText,
});

describe('text after its edits', () => {
  const cases: [string, string, TextEdit[], string][] = [
    ['none', 'a\nb\n', [], 'a\nb\n'],
    ['in a line', 'ab\ncd\n', [edit(1, 1, 2, 'X')], 'ab\ncX\n'],
    ['across lines', 'ab\ncd\nef', [edit(0, 1, 1, '', 2)], 'af'],
    ['several, in any order', 'ab\ncd', [edit(0, 0, 1, '1'), edit(1, 0, 1, '2')], '1b\n2d'],
    ['CRLF', 'ab\r\ncd\r\n', [edit(1, 0, 2, 'x')], 'ab\r\nx\r\n'],
    ['a lone CR', 'ab\rcd', [edit(1, 0, 0, 'x')], 'ab\rxcd'],
    ['behind an emoji', '😀 = 1\n', [edit(0, 5, 6, '2')], '😀 = 2\n'],
    ['at the end', 'a', [edit(0, 1, 1, '!')], 'a!'],
    ['beyond the end', 'a', [edit(7, 0, 0, '!')], 'a!'],
  ];
  for (const [title, text, edits, expected] of cases) {
    it(title, () => {
      assert.equal(applied(text, edits), expected);
    });
  }
});

describe("a document's part of a workspace edit", () => {
  const edits = [edit(0, 0, 0, 'x')];
  it('of a version', () => {
    assert.deepEqual(ofDocument({ documentChanges: [{ textDocument: { uri: 'a', version: 4 }, edits }] }), {
      version: 4,
      edits,
    });
  });
  it('of no version', () => {
    assert.deepEqual(ofDocument({ documentChanges: [{ textDocument: { uri: 'a', version: null }, edits }] }), {
      edits,
    });
  });
  it('as changes', () => {
    assert.deepEqual(ofDocument({ changes: { a: edits } }), { edits });
  });
  it('nothing', () => {
    assert.deepEqual(ofDocument({}), { edits: [] });
  });
});

describe('an edit to be looked at first', () => {
  it('says so', () => {
    assert.equal(needsConfirmation({ changeAnnotations: { confirm: { needsConfirmation: true } } }), true);
    assert.equal(needsConfirmation({ changeAnnotations: { other: {} } }), false);
    assert.equal(needsConfirmation({}), false);
  });
});
