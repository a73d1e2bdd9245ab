/** What the server speaks beyond the standard; docs/protocol.md describes it. Types only, and names. */

import type { Position } from './edits';

export const STATUS = 'infill/status';
export const DRAFT = 'infill/draft';
export const REFUSED = 'infill/refused';
export const NEXT_EDIT = 'infill/nextEdit';

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

/** Why nothing was offered at a place. */
export interface Refused {
  uri: string;
  position: { line: number; character: number };
  reason: string;
  message: string;
}

/** A change that follows from those just made. */
export interface NextEdit {
  textDocument: { uri: string; version: number };
  range: { start: Position; end: Position };
  text: string;
  /** To be executed when it has been made; `infill.dismissed` takes the same arguments. */
  command: { command: string; arguments: unknown[] };
}

/** Whether suggestions come unasked in a document, and if not, why. */
export interface DocumentState {
  on: boolean;
  reason: string;
  message: string;
  /** What is left of a snooze. */
  minutes: number;
}

/** The answer of `infill.status`; a refusal where no worker answers. */
export interface WorkerStatus {
  /** Whether the model may follow instructions; if not, what would. */
  rewrites?: { possible: boolean; message: string };
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
  /** What became of next edits, by who proposed them. */
  nextEdits?: Record<string, { shown: number; accepted: number; dismissed: number; ignored: number }>;
}

/** The kinds of action, as `infill.fill` takes them. */
export const KIND = {
  fill: 'refactor.rewrite.infill.fill',
  fillAll: 'source.fillAll.infill',
  fix: 'quickfix.infill',
  docstring: 'refactor.rewrite.infill.docstring',
} as const;
