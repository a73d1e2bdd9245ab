/** What the server speaks beyond the standard; docs/protocol.md describes it. Types only, and names. */

export const STATUS = 'infill/status';
export const DRAFT = 'infill/draft';

export interface Status {
  state: 'idle' | 'loading' | 'busy' | 'degraded' | 'stopped';
  message: string;
  /** Of loading, from 0 to 1. */
  progress?: number;
  /** Milliseconds of the last fill. */
  latency?: number;
}

export interface Draft {
  uri: string;
  version: number;
  position: { line: number; character: number };
  step: number;
  /** The text of each hole as far as it has resolved. */
  texts: string[];
}

/** The answer of `infill.status`; a refusal where no worker answers. */
export interface WorkerStatus {
  reason?: string;
  message: string;
  state?: 'loading' | 'ready' | 'unloaded' | 'failed';
  pid?: number;
  model?: string;
  device?: string;
  memory_bytes?: number;
  device_bytes?: number;
  clients?: number;
  queued?: number;
  served?: number;
  shown?: number;
  accepted?: number;
  p50_ms?: number | null;
  p90_ms?: number | null;
}

/** The kinds of action, as `infill.fill` takes them. */
export const KIND = {
  fill: 'refactor.rewrite.infill.fill',
  fillAll: 'source.fillAll.infill',
  fix: 'quickfix.infill',
  docstring: 'refactor.rewrite.infill.docstring',
} as const;
