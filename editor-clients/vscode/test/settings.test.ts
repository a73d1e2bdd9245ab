import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { languageIds, type Layers, sent, withLanguage } from '../src/settings';

const RESTRICTED = new Set(['exclude']);

describe('what the server is sent', () => {
  const cases: [string, Record<string, Layers>, boolean, Record<string, unknown>][] = [
    ['nothing set', {}, true, {}],
    ['the default alone', { deadlineMs: {} }, true, {}],
    [
      'the nearest layer',
      { deadlineMs: { globalValue: 1, workspaceValue: 2, workspaceFolderValue: 3 } },
      true,
      { deadlineMs: 3 },
    ],
    ['a falsy value', { idleUnloadMinutes: { globalValue: 0 } }, true, { idleUnloadMinutes: 0 }],
    ['null means unset', { deadlineMs: { workspaceValue: null, globalValue: 7 } }, true, { deadlineMs: 7 }],
    ['a model of the user', { model: { globalValue: '/mine' } }, true, { model: '/mine' }],
    ['a model of the workspace', { model: { workspaceValue: './theirs' } }, true, {}],
    ['both', { model: { globalValue: '/mine', workspaceFolderValue: './theirs' } }, true, { model: '/mine' }],
    ['a URL of the workspace', { backendUrl: { workspaceValue: 'http://elsewhere' } }, true, {}],
    ['globs of a trusted workspace', { exclude: { globalValue: ['*.a'], workspaceValue: [] } }, true, { exclude: [] }],
    ['globs of another', { exclude: { globalValue: ['*.a'], workspaceValue: [] } }, false, { exclude: ['*.a'] }],
    ["the client's own settings", { serverPath: { globalValue: '/x' }, liveDrafts: { globalValue: false } }, true, {}],
  ];
  for (const [title, layers, trusted, expected] of cases) {
    it(title, () => {
      assert.deepEqual(
        sent((name) => layers[name], trusted, RESTRICTED),
        expected,
      );
    });
  }
});

describe('languages by all of their names', () => {
  const cases: [unknown, string[]][] = [
    [['python'], ['python', 'py', 'python3']],
    [['py'], ['py', 'python', 'python3']],
    [['klingon'], ['klingon']],
    [[], []],
    ['python', []],
    [[3, 'klingon'], ['klingon']],
  ];
  for (const [languages, expected] of cases) {
    it(JSON.stringify(languages), () => {
      assert.deepEqual(new Set(languageIds(languages)), new Set(expected));
    });
  }
  it("a shell script has VS Code's own name", () => {
    assert.ok(languageIds(['bash']).includes('shellscript'));
  });
});

describe('a language that is turned on or off', () => {
  const cases: [string[], string, boolean, string[]][] = [
    [['python'], 'typescript', true, ['python', 'typescript']],
    [['python', 'typescript'], 'typescript', true, ['python', 'typescript']],
    [['python', 'js'], 'javascript', false, ['python']],
    [['python'], 'python', false, []],
    [['python'], 'go', false, ['python']],
  ];
  for (const [before, id, on, after] of cases) {
    it(`${before.join()} ${id} ${on ? 'on' : 'off'}`, () => {
      assert.deepEqual(withLanguage(before, id, on), after);
    });
  }
});
