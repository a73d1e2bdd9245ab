import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Change, changes } from '../src/wordDiff';

describe('a change, word by word', () => {
  const cases: [string, string, string, Change[]][] = [
    ['none', 'a = b', 'a = b', []],
    ['a word', 'return count + 1', 'return total + 1', [{ start: 7, end: 12, text: 'total' }]],
    ['a word more', 'f(a)', 'f(a, b)', [{ start: 3, end: 3, text: ', b' }]],
    ['a word less', 'f(a, b)', 'f(a)', [{ start: 3, end: 6, text: '' }]],
    [
      'two words',
      'x = left + y',
      'x = right + z',
      [
        { start: 4, end: 8, text: 'right' },
        { start: 11, end: 12, text: 'z' },
      ],
    ],
    ['a line more', 'a\n', 'a\nb\n', [{ start: 2, end: 2, text: 'b\n' }]],
    ['from nothing', '', 'new', [{ start: 0, end: 0, text: 'new' }]],
  ];
  for (const [title, before, after, expected] of cases) {
    it(title, () => {
      assert.deepEqual(changes(before, after), expected);
      const made = changes(before, after).reduceRight(
        (now, { start, end, text }) => now.slice(0, start) + text + now.slice(end),
        before,
      );
      assert.equal(made, after);
    });
  }
});
