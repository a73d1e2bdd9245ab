import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { progressOf } from '../src/pip';

describe('the progress of pip', () => {
  const cases: [string, string | undefined][] = [
    [
      "WARNING: Retrying (Retry(total=4, connect=None, read=None, redirect=None, status=None)) after connection broken by 'NewConnectionError'",
      'the package index does not answer; 4 tries left',
    ],
    ['WARNING: Retrying (Retry(total=1, connect=None)) after', 'the package index does not answer; one try left'],
    ['Collecting torch<3,>=2.6 (from infill-ls==0.1.0)', 'looking for torch'],
    ['  Downloading torch-2.9.1-cp311-cp311-manylinux_2_28_x86_64.whl.metadata (30 kB)', 'downloading torch (30 kB)'],
    ['Downloading https://example.com/whl/cpu/torch-2.9.1.whl (184.5 MB)', 'downloading torch (184.5 MB)'],
    ['Installing collected packages: mpmath, sympy, torch', 'unpacking the packages'],
    ['Requirement already satisfied: pip', undefined],
    ['', undefined],
  ];
  for (const [line, expected] of cases) {
    it(line.slice(0, 40), () => {
      assert.equal(progressOf(line), expected);
    });
  }
});
