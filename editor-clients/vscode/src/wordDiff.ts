/** What of a text is taken away and what is put there, word by word, for drawing a change in the text itself. */

import { diffWordsWithSpace } from 'diff';

export interface Change {
  /** Offsets in the old text, UTF-16: what goes away. Empty where something is only added. */
  start: number;
  end: number;
  /** What comes in its place. */
  text: string;
}

export function changes(before: string, after: string): Change[] {
  const found: Change[] = [];
  let at = 0;
  for (const { value, added, removed } of diffWordsWithSpace(before, after)) {
    const last = found.at(-1);
    // What is put in the place of something follows it at once.
    const change = last?.end === at ? last : { start: at, end: at, text: '' };
    if (added) change.text += value;
    if (removed) change.end += value.length;
    if ((added || removed) && change !== last) found.push(change);
    if (!added) at += value.length;
  }
  return found;
}
