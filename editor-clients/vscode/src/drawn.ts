/** What is drawn of a draft, and of any text: a decoration is one line, so the lines stand one behind the other. */

import type { Draft } from './protocol';

const MOST = 160;
/** Of the first step little is settled, and a model that takes one step has its answer ready by then. */
const FIRST_STEP = 2;

export function drawn(draft: Pick<Draft, 'step' | 'texts'>): string {
  return draft.step < FIRST_STEP ? '' : inOneLine(draft.texts.join(' … '));
}

export function inOneLine(text: string): string {
  const line = text.replace(/\s*\n\s*/g, ' ⏎ ').replace(/\p{Cc}/gu, ' ');
  const cut = line.length > MOST ? `${line.slice(0, MOST - 1)}…` : line;
  return cut.replace(/ /g, '\u00a0'); // an ordinary space at either end would not be drawn
}
