/** The status as words: for the status bar and for the list behind it. Pure. */

import type { Status, WorkerStatus } from './protocol';

/** What the extension itself knows, beyond what the server tells. */
export type Server = 'waiting' | 'starting' | 'running' | 'missing' | 'failed';

export interface Shown {
  text: string;
  /** One line. */
  tooltip: string;
  warning: boolean;
}

export function bar(server: Server, status: Status | undefined, problem = ''): Shown {
  if (server === 'missing') return { text: '$(circle-slash) infill', tooltip: problem, warning: true };
  if (server === 'failed') return { text: '$(error) infill', tooltip: problem, warning: true };
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
  if (worker.state === undefined) return [['Worker', worker.message || 'not running']];
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
    ['Editors', `${worker.clients ?? 0} connected, ${worker.queued ?? 0} requests waiting`],
  ];
  if (typeof worker.p50_ms === 'number' && typeof worker.p90_ms === 'number') {
    lines.push(['Time', `half within ${ms(worker.p50_ms)}, nine in ten within ${ms(worker.p90_ms)}`]);
  }
  return lines;
}

function mb(bytes = 0): string {
  return `${Math.round(bytes / 2 ** 20)} MB`;
}
