import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { forgotten, MOST, remembered } from '../src/history';
import { drawn } from '../src/drawn';
import { bar, details, doubts, type Here, keysOf, ms, type Server, silence, switches } from '../src/presentation';
import type { Status } from '../src/protocol';

describe('the status bar', () => {
  const cases: [Server, Status | undefined, string, RegExp, boolean][] = [
    ['waiting', undefined, '$(circle-outline) infill', /first file/, false],
    ['starting', undefined, '$(loading~spin) infill', /starting/, false],
    ['missing', undefined, '$(circle-slash) infill', /a problem/, true],
    ['failed', undefined, '$(error) infill', /a problem/, true],
    ['running', undefined, '$(circle-outline) infill', /not running/, false],
    ['running', { state: 'stopped', message: 'being restarted' }, '$(circle-outline) infill', /being restarted/, false],
    ['running', { state: 'loading', message: '', progress: 0.429 }, '$(loading~spin) infill 42%', /loaded/, false],
    ['running', { state: 'loading', message: '' }, '$(loading~spin) infill', /loaded/, false],
    ['running', { state: 'idle', message: '' }, '$(sparkle) infill', /^ready$/, false],
    ['running', { state: 'idle', message: '', latency: 58.7 }, '$(sparkle) infill 59 ms', /took 59 ms/, false],
    ['running', { state: 'busy', message: '', latency: 1250 }, '$(sync~spin) infill 1.3 s', /working/, false],
    [
      'running',
      { state: 'degraded', message: 'out of memory', latency: 9 },
      '$(warning) infill',
      /out of memory/,
      true,
    ],
    ['failed', { state: 'idle', message: '' }, '$(error) infill', /a problem/, true],
  ];
  for (const [server, status, text, tooltip, warning] of cases) {
    it(`${server} ${status?.state ?? ''}`, () => {
      const shown = bar(server, status, 'a problem');
      assert.equal(shown.text, text);
      assert.match(shown.tooltip, tooltip);
      assert.equal(shown.warning, warning);
    });
  }
});

describe('details of the worker', () => {
  it('where none runs', () => {
    assert.deepEqual(details({ message: 'no worker is running', reason: 'worker-lost' }), [
      ['Worker', 'no worker is running'],
    ]);
  });
  it('next edits by who proposed them, which rules do without a worker', () => {
    const nextEdits = {
      rules: { shown: 3, accepted: 1, dismissed: 1, ignored: 0 },
      region: { shown: 1, accepted: 0, dismissed: 0, ignored: 1 },
    };
    const expected = [
      ['Next edits (rules)', '3 shown, 1 accepted, 1 dismissed, 0 ignored'],
      ['Next edits (region)', '1 shown, 0 accepted, 0 dismissed, 1 ignored'],
    ];
    assert.deepEqual(details({ message: '', nextEdits }).slice(1), expected);
    assert.deepEqual(details({ message: '', state: 'ready', nextEdits }).slice(-2), expected);
  });
  it('where one runs', () => {
    const lines = new Map(
      details({
        message: '',
        state: 'ready',
        model: 'embedded',
        device: 'cpu',
        memory_bytes: 420 * 2 ** 20,
        device_bytes: 0,
        clients: 2,
        queued: 0,
        served: 8,
        shown: 3,
        accepted: 1,
        p50_ms: 59.2,
        p90_ms: 1200,
      }),
    );
    assert.equal(lines.get('Worker'), 'ready');
    assert.equal(lines.get('Model'), 'embedded on cpu');
    assert.equal(lines.get('Memory'), '420 MB');
    assert.equal(lines.get('Answers'), '8; 3 shown, 1 accepted');
    assert.equal(lines.get('Time'), 'half within 59 ms, nine in ten within 1.2 s');
  });
  it('one is no plural', () => {
    const editors = (queued: number) =>
      new Map(details({ message: '', state: 'ready', clients: 1, queued })).get('Editors');
    assert.equal(editors(1), '1 connected, 1 request waiting');
    assert.equal(editors(2), '1 connected, 2 requests waiting');
  });
  it('before the first answer there is no time', () => {
    assert.ok(!new Map(details({ message: '', state: 'loading', p50_ms: null, p90_ms: null })).has('Time'));
  });
  it('times', () => {
    assert.deepEqual([0.4, 999.4, 1000, 12345].map(ms), ['0 ms', '999 ms', '1.0 s', '12.3 s']);
  });
});

describe('instructions given before', () => {
  it('the newest is first, once', () => {
    assert.deepEqual(remembered(['a', 'b'], 'b'), ['b', 'a']);
  });
  it('there is an end to it', () => {
    const many = Array.from({ length: MOST }, (_, index) => String(index));
    assert.deepEqual(remembered(many, 'new'), ['new', ...many.slice(0, -1)]);
  });
  it('one can be forgotten', () => {
    assert.deepEqual(forgotten(['a', 'b', 'c'], 'b'), ['a', 'c']);
  });
});

describe('what is drawn of a draft', () => {
  const cases: [number, string[], string][] = [
    [1, ['nois'], ''],
    [2, ['x = 1'], 'x\u00a0=\u00a01'],
    [3, ['if a:\n        b\n'], 'if\u00a0a:\u00a0⏎\u00a0b\u00a0⏎\u00a0'],
    [2, ['a\tb\u0000c'], 'a\u00a0b\u00a0c'],
    [2, ['one', 'two'], 'one\u00a0…\u00a0two'],
    [2, [''], ''],
    [2, [], ''],
    [2, ['x'.repeat(300)], `${'x'.repeat(159)}…`],
  ];
  for (const [step, texts, expected] of cases) {
    it(`${step} ${JSON.stringify(texts).slice(0, 40)}`, () => {
      assert.equal(drawn({ step, texts }), expected);
    });
  }
});

function here(reason: string, more: Partial<Here> = {}): Here {
  return { uri: 'file:///a.ts', language: 'TypeScript', on: !reason, reason, message: '', minutes: 0, ...more };
}

describe('the status of the current file', () => {
  const cases: [Here | undefined, string, string][] = [
    [undefined, '$(sparkle) infill', 'Turn off'],
    [here(''), '$(sparkle) infill', 'Turn off in this file'],
    [here('language'), '$(circle-outline) infill: off for TypeScript', 'Turn on for TypeScript'],
    [here('off'), '$(circle-outline) infill: off', 'Turn on'],
    [here('off-here'), '$(circle-outline) infill: off in this file', 'Turn on in this file'],
    [here('excluded', { message: 'infill.exclude rules it out' }), '$(circle-outline) infill: off in this file', ''],
    [here('snoozed', { minutes: 8.2 }), '$(circle-outline) infill: snoozed, 9 min', 'Wake from the snooze'],
  ];
  for (const [file, text, first] of cases) {
    it(text + (file?.reason ?? ' without a file'), () => {
      assert.equal(bar('running', { state: 'idle', message: '' }, '', file).text, text);
      assert.equal(bar('waiting', undefined, '', file).text === text, file !== undefined && !file.on);
      if (first) assert.equal(switches(file, 10)[0]?.label, first);
      if (file?.message) assert.equal(bar('running', undefined, '', file).tooltip, file.message);
    });
  }
  it('every switch is there, once', () => {
    for (const reason of ['', 'off-here', 'snoozed']) {
      assert.equal(new Set(switches(here(reason), 10).map(({ command }) => command)).size, 4);
    }
  });
  it('a server that is missing counts more', () => {
    assert.match(bar('missing', undefined, 'not there', here('language')).tooltip, /not there/);
  });
  it('why the last place stayed silent', () => {
    const refused = {
      uri: 'file:///a.ts',
      position: { line: 4, character: 0 },
      reason: 'confidence',
      message: '0.16 is below',
    };
    assert.equal(silence(here(''), refused), 'line 5: 0.16 is below');
    assert.equal(silence(here('', { uri: 'file:///b.ts' }), refused), undefined);
    assert.equal(silence(here('off'), refused), undefined);
    assert.equal(silence(here(''), undefined), undefined);
  });
});

describe('keys', () => {
  const bindings = [
    { command: 'a', key: 'ctrl+k alt+o', mac: 'cmd+k alt+o' },
    { command: 'b', key: 'ctrl+down' },
  ];
  it('as they are written', () => {
    assert.deepEqual([...keysOf(bindings, false)], [['a', 'Ctrl+K Alt+O'], ['b', 'Ctrl+Down']]); // prettier-ignore
    assert.equal(keysOf(bindings, true).get('a'), '⌘K ⌥O');
  });
});

describe('what proofreading says', () => {
  const cases: [number, number, string][] = [
    [0, 0, 'no word looks unlikely'],
    [1, 0, 'one word looks unlikely; nothing else was found for it'],
    [2, 0, '2 words look unlikely; nothing else was found for them'],
    [1, 1, 'one word looks unlikely; the light bulb offers another'],
    [3, 1, '3 words look unlikely; the light bulb offers another for one of them'],
    [3, 2, '3 words look unlikely; the light bulb offers another for 2 of them'],
  ];
  for (const [found, replaceable, expected] of cases) {
    it(expected, () => {
      assert.equal(doubts({ found, replaceable }), expected);
    });
  }
});
