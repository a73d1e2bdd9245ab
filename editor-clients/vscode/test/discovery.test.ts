import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { basePython, discover, foreign, type Machine, Missing, type Python, read } from '../src/discovery';

const GOOD: Python = { path: '/py', version: [3, 12], server: '0.1.0' };
const BARE: Python = { path: '/bare', version: [3, 11] };
const OLD: Python = { path: '/old', version: [3, 9], server: '0.1.0' };

/** A machine with these programs; a Python under its path, anything else as a bare program. */
function machine(programs: Record<string, Python | true>, more: Partial<Machine> = {}): Machine {
  return {
    serverPath: '',
    pythonPath: '',
    ownPython: '/own/python',
    activePython: () => Promise.resolve(undefined),
    which: (program) =>
      Promise.resolve(program in programs ? (program.startsWith('/') ? program : `/bin/${program}`) : undefined),
    ask: (path) => {
      const found = programs[path] ?? programs[path.replace('/bin/', '')];
      return Promise.resolve(found === true || !found ? undefined : { ...found, path });
    },
    ...more,
  };
}

const active = (path: string) => ({ activePython: () => Promise.resolve(path) });

describe('where the server is', () => {
  const cases: [string, Machine, string | RegExp][] = [
    ['nowhere', machine({}), /not installed; install it, or set infill.serverPath/],
    ['on the PATH', machine({ 'infill-ls': true }), '/bin/infill-ls serve'],
    ['set by path', machine({ '/s': true, 'infill-ls': true }, { serverPath: '/s' }), '/s serve'],
    ['set by name', machine({ mine: true }, { serverPath: 'mine' }), '/bin/mine serve'],
    [
      'set, but not there',
      machine({ 'infill-ls': true }, { serverPath: '/gone' }),
      /infill.serverPath: \/gone is no program/,
    ],
    ['in the Python that is set', machine({ '/p': GOOD }, { pythonPath: '/p' }), '/p -m lsp_server serve'],
    ['no Python is set', machine({ '/p': true }, { pythonPath: '/p' }), /infill.pythonPath: \/p is no Python/],
    [
      'a Python without it is set',
      machine({ '/p': BARE }, { pythonPath: '/p' }),
      /\/p has no infill-ls; let VS Code install one/,
    ],
    [
      'an old Python is set',
      machine({ '/p': OLD }, { pythonPath: '/p' }),
      /\/p is Python 3.9, and infill-ls needs 3.11/,
    ],
    ['in the active environment', machine({ '/e': GOOD, 'infill-ls': true }, active('/e')), '/e -m lsp_server serve'],
    [
      'the active environment lacks it',
      machine({ '/e': BARE, 'infill-ls': true }, active('/e')),
      '/bin/infill-ls serve',
    ],
    ['the active environment is old', machine({ '/e': OLD, 'infill-ls': true }, active('/e')), '/bin/infill-ls serve'],
    ['in the own folder', machine({ '/own/python': GOOD, 'infill-ls': true }), '/own/python -m lsp_server serve'],
    ['half installed', machine({ '/own/python': BARE }), /not installed/],
  ];
  for (const [title, on, expected] of cases) {
    it(title, async () => {
      const found = await discover(on);
      if (typeof expected === 'string') {
        assert.ok(!(found instanceof Missing), 'found');
        assert.equal([found.command, ...found.args].join(' '), expected);
      } else {
        assert.ok(found instanceof Missing, 'missing');
        assert.match(found.message, expected);
        assert.ok(!found.message.includes('\n'));
      }
    });
  }
});

describe('which Python an environment is made with', () => {
  const cases: [string, Machine, string | RegExp][] = [
    ['none', machine({}), /no Python was found: install Python 3.11 or later, or set infill.pythonPath/],
    ['the usual one', machine({ python3: BARE }), '/bin/python3'],
    ['a newer one beside an old one', machine({ python3: OLD, 'python3.12': BARE }), '/bin/python3.12'],
    [
      'an old one alone',
      machine({ python3: OLD }),
      /python3 is Python 3.9, and infill-ls needs 3.11 or later: install/,
    ],
    ['a program that is no Python', machine({ python3: true, python: BARE }), '/bin/python'],
    ['the one that is set', machine({ '/p': BARE, python3: BARE }, { pythonPath: '/p' }), '/p'],
    ["the Python extension's", machine({ '/e': BARE }, active('/e')), '/e'],
    ['the launcher of Windows', machine({ py: BARE }), '/bin/py'],
  ];
  for (const [title, on, expected] of cases) {
    it(title, async () => {
      const found = await basePython(on, true);
      if (typeof expected === 'string') assert.equal(found instanceof Missing ? found.message : found.path, expected);
      else assert.match(found instanceof Missing ? found.message : found.path, expected);
    });
  }
});

describe('what a Python answers', () => {
  const cases: [string, Python | undefined][] = [
    ['3 12\n/py\n0.1.0\n', GOOD],
    ['3 11\r\n/bare\r\n', BARE],
    ['', undefined],
    ['Python was not found; run without arguments to install from the Microsoft Store', undefined],
    ['3 12\n', undefined],
  ];
  for (const [answer, expected] of cases) {
    it(JSON.stringify(answer), () => {
      assert.deepEqual(read(answer), expected);
    });
  }
});

describe('a program that is not the server', () => {
  const cases: [number | string, string, string | undefined][] = [
    [1, '', 'this program is not infill-ls: /bin/x ended with 1 and printed nothing'],
    [0, 'x 1.2\nCopyright', 'this program is not infill-ls: /bin/x ended with 0 and printed: x 1.2'],
    ['SIGTERM', '', 'this program is not infill-ls: /bin/x ended with SIGTERM and printed nothing'],
    [0, 'infill-ls 0.1.0', undefined],
  ];
  for (const [code, printed, expected] of cases) {
    it(expected ?? printed, () => {
      assert.equal(foreign('/bin/x', { code, printed }), expected);
    });
  }
});
