/** From the drafts of one fill to the pictures of its canvas: noise first, then one after each step. What is offered
 * is the last one. Pure. */

import type { Draft, Token } from './protocol';

export interface Piece {
  /** `best`: not accepted by the last step, but the denoiser's text is its best guess everywhere. `offered`: the text
   * that won, whoever wrote it. */
  readonly kind: 'pinned' | 'noise' | 'accepted' | 'best' | 'offered';
  readonly text: string;
  readonly guess: string; // what the model would write there
  readonly chance: number; // of the guess, or of what is offered, from 0 to 1
}
export type Frame = readonly Piece[];

/** What is offered, in its document. */
export interface Winner {
  readonly uri: string;
  readonly line: number; // of its start, from 0
  readonly before: string; // the document up to it
  readonly text: string;
  readonly after: string; // the document from where it ends
  readonly confidence: number; // from 0 to 1
}

export function frames(drafts: readonly Draft[]): Frame[] {
  const first = drafts[0];
  if (!first?.tokens.length) return [];
  const start = first.tokens.map((token) =>
    token.state === 'pinned' ? pinned(token) : { kind: 'noise' as const, text: token.before, guess: '', chance: 0 },
  );
  return [start, ...drafts.map((draft, i) => after(draft.tokens, drafts[i + 1]?.tokens))];
}

/** The canvas after a step is what the next one finds. */
function after(tokens: readonly Token[], next: readonly Token[] | undefined): Frame {
  const found = next?.length === tokens.length ? next : undefined; // another length of hole may go on
  return tokens.map((token, i) => {
    if (token.state === 'pinned') return pinned(token);
    const about = { guess: token.text, chance: Math.exp(token.logprob) };
    if (token.state === 'accepted') return { kind: 'accepted', text: found?.[i]?.before ?? token.text, ...about };
    return found
      ? { kind: 'noise', text: found[i]?.before ?? '', ...about }
      : { kind: 'best', text: token.text, ...about };
  });
}

/** What is offered, among as many lines as the canvas had, or a few where there was none. */
export function outcome(winner: Winner, canvas: Frame | undefined): Frame {
  const first = canvas?.findIndex(({ kind }) => kind !== 'pinned');
  const last = canvas?.findLastIndex(({ kind }) => kind !== 'pinned') ?? 0;
  const above = canvas ? breaks(canvas.slice(0, first)) : 2;
  const below = canvas ? breaks(canvas.slice(last + 1)) : 5;
  const before = winner.before.split('\n').slice(-above - 1);
  const after = winner.after.split('\n').slice(0, below + 1);
  return [
    known(before.join('\n')),
    { kind: 'offered' as const, text: winner.text, guess: winner.text, chance: winner.confidence },
    known(after.join('\n')),
  ].filter(({ text }) => text);
}

function breaks(frame: Frame): number {
  return frame.reduce((count, { text }) => count + text.split('\n').length - 1, 0);
}

function pinned(token: Token): Piece {
  return known(token.text);
}

function known(text: string): Piece {
  return { kind: 'pinned', text, guess: text, chance: 1 };
}

export function summary(frame: Frame, step: number, steps: number): string {
  const open = frame.filter((piece) => piece.kind !== 'pinned');
  if (open.some((piece) => piece.kind === 'offered')) return 'What is offered';
  const accepted = open.filter((piece) => piece.kind === 'accepted').length;
  if (step === 0) return `Before the first step: ${open.length} positions of noise`;
  return `Step ${step} of ${steps}: ${accepted} of ${open.length} positions accepted`;
}
