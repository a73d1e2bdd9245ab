/** The status as words: for the status bar and for the list behind it. Pure. */

import type { DocumentState, Refused, Status, WorkerStatus } from './protocol';

/** What the extension itself knows, beyond what the server tells. */
export type Server = 'waiting' | 'starting' | 'running' | 'missing' | 'failed';

/** What holds for the current file. */
export interface Here extends DocumentState {
  uri: string;
  /** As a person calls it. */
  language: string;
}

/** Something that a click does, in the list behind the status bar and in its tooltip. */
export interface Switch {
  label: string;
  command: string;
}

export interface Shown {
  text: string;
  /** One line. */
  tooltip: string;
  warning: boolean;
}

export function bar(server: Server, status: Status | undefined, problem = '', here?: Here): Shown {
  if (server === 'missing') return { text: '$(circle-slash) infill', tooltip: problem, warning: true };
  if (server === 'failed') return { text: '$(error) infill', tooltip: problem, warning: true };
  if (here && !here.on) return calm(`$(circle-outline) infill: ${off(here)}`, here.message || off(here));
  if (server === 'waiting') return calm('$(circle-outline) infill', 'starts with the first file that it may complete');
  if (server === 'starting') return calm('$(loading~spin) infill', 'the language server is starting');
  switch (status?.state) {
    case 'loading': {
      const share = status.progress === undefined ? '' : ` ${Math.floor(status.progress * 100)}%`;
      return calm(`$(loading~spin) infill${share}`, status.message || 'the model is being loaded');
    }
    case 'busy':
      return calm(`$(sync~spin) infill${time(status)}`, 'working on a suggestion');
    case 'idle':
      return calm(
        `$(sparkle) infill${time(status)}`,
        status.latency === undefined ? 'ready' : `ready; the last answer took ${ms(status.latency)}`,
      );
    case 'degraded':
      return { text: '$(warning) infill', tooltip: status.message || 'the worker is in trouble', warning: true };
    default:
      return calm(
        '$(circle-outline) infill',
        status?.message ?? 'the worker is not running; the next suggestion starts it',
      );
  }
}

/** Why nothing is suggested unasked in the current file, in a word or a few. */
function off(here: Here): string {
  if (here.reason === 'language') return `off for ${here.language}`;
  if (here.reason === 'snoozed') return `snoozed, ${Math.ceil(here.minutes)} min`;
  return here.reason === 'off' ? 'off' : 'off in this file';
}

/** What can be turned on and off, that which is off first. */
export function switches(here: Here | undefined, snooze: number): Switch[] {
  const isOff = (reason: string) => here?.reason === reason;
  const all: Switch = { label: isOff('off') ? 'Turn on' : 'Turn off', command: 'infill.toggleEverywhere' };
  if (!here) return [all];
  const language: Switch = {
    label: `Turn ${isOff('language') ? 'on' : 'off'} for ${here.language}`,
    command: 'infill.toggleLanguage',
  };
  if (isOff('language')) return [language, all];
  const file: Switch = { label: `Turn ${isOff('off-here') ? 'on' : 'off'} in this file`, command: 'infill.toggleFile' };
  const nap: Switch = {
    label: isOff('snoozed') ? 'Wake from the snooze' : `Snooze for ${snooze} minutes`,
    command: 'infill.snoozeTenMinutes',
  };
  if (isOff('off')) return [all, language];
  if (isOff('off-here')) return [file, language, all, nap];
  return isOff('snoozed') ? [nap, file, language, all] : [file, language, all, nap];
}

/** Why the last place of the current file stayed silent. */
export function silence(here: Here | undefined, refused: Refused | undefined): string | undefined {
  if (!here?.on || refused?.uri !== here.uri) return undefined;
  return `line ${refused.position.line + 1}: ${refused.message}`;
}

const MAC: Record<string, string> = { cmd: '⌘', alt: '⌥', ctrl: '⌃', shift: '⇧' };

/** The keys of each command, as the manifest has them and as a person reads them. */
export function keysOf(
  bindings: readonly { command: string; key: string; mac?: string }[],
  mac: boolean,
): Map<string, string> {
  const name = (key: string) => (mac ? MAC[key] : undefined) ?? key.charAt(0).toUpperCase() + key.slice(1);
  const chord = (keys: string) =>
    keys
      .split('+')
      .map(name)
      .join(mac ? '' : '+');
  const keys = (each: { key: string; mac?: string }) => (mac ? (each.mac ?? each.key) : each.key);
  return new Map(bindings.map((each) => [each.command, keys(each).split(' ').map(chord).join(' ')]));
}

function calm(text: string, tooltip: string): Shown {
  return { text, tooltip, warning: false };
}

function time(status: Status): string {
  return status.latency === undefined ? '' : ` ${ms(status.latency)}`;
}

/** Milliseconds below a second, then seconds. */
export function ms(value: number): string {
  return value < 1000 ? `${Math.round(value)} ms` : `${(value / 1000).toFixed(1)} s`;
}

/** What `infill.status` says, as name and value. */
export function details(worker: WorkerStatus): [string, string][] {
  const next = nextEdits(worker);
  if (worker.state === undefined) return [['Worker', worker.message || 'not running'], ...next];
  const lines: [string, string][] = [
    ['Worker', [worker.state, worker.message].filter(Boolean).join(': ')],
    ['Model', `${worker.model ?? '?'} on ${worker.device ?? '?'}`],
    [
      'Memory',
      [mb(worker.memory_bytes), worker.device_bytes ? `${mb(worker.device_bytes)} on the GPU` : '']
        .filter(Boolean)
        .join(', '),
    ],
    ['Answers', `${worker.served ?? 0}; ${worker.shown ?? 0} shown, ${worker.accepted ?? 0} accepted`],
    ['Editors', `${worker.clients ?? 0} connected, ${counted(worker.queued ?? 0, 'request')} waiting`],
  ];
  if (typeof worker.p50_ms === 'number' && typeof worker.p90_ms === 'number') {
    lines.push(['Time', `half within ${ms(worker.p50_ms)}, nine in ten within ${ms(worker.p90_ms)}`]);
  }
  return [...lines, ...next];
}

function nextEdits(worker: WorkerStatus): [string, string][] {
  return Object.entries(worker.nextEdits ?? {}).map(([lane, { shown, accepted, dismissed, ignored }]) => [
    `Next edits (${lane})`,
    `${shown} shown, ${accepted} accepted, ${dismissed} dismissed, ${ignored} ignored`,
  ]);
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** The answer of `infill.proofread`. */
export interface Proofread {
  found: number;
  /** For how many of them there is something else. */
  replaceable: number;
}

/** What proofreading has come to, and where to go on. */
export function doubts({ found, replaceable }: Proofread): string {
  if (!found) return 'no word looks unlikely';
  const words = found === 1 ? 'one word looks unlikely' : `${found} words look unlikely`;
  if (!replaceable) return `${words}; nothing else was found for ${found === 1 ? 'it' : 'them'}`;
  const some = replaceable === found ? '' : ` for ${replaceable === 1 ? 'one' : replaceable} of them`;
  return `${words}; the light bulb offers another${some}`;
}

function mb(bytes = 0): string {
  return `${Math.round(bytes / 2 ** 20)} MB`;
}
