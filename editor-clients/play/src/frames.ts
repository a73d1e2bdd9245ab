/** From the drafts of one fill to the pictures of its canvas: noise first, then one after each step. Pure. */

import type { Draft, Token } from './protocol';

export interface Piece {
  /** `best`: not accepted by the last step, but the answer is the model's best guess everywhere. */
  readonly kind: 'pinned' | 'noise' | 'accepted' | 'best';
  readonly text: string;
  readonly guess: string; // what the model would write there
  readonly chance: number; // of the guess, from 0 to 1
}
export type Frame = readonly Piece[];

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

function pinned(token: Token): Piece {
  return { kind: 'pinned', text: token.text, guess: token.text, chance: 1 };
}

export function summary(frame: Frame, step: number, steps: number): string {
  const open = frame.filter((piece) => piece.kind !== 'pinned');
  const accepted = open.filter((piece) => piece.kind === 'accepted').length;
  if (step === 0) return `Before the first step: ${open.length} positions of noise`;
  return `Step ${step} of ${steps}: ${accepted} of ${open.length} positions accepted`;
}
