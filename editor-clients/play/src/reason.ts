/** Why the text won that is offered, in words. Pure. */

import type { Accepted } from './protocol';

/** Words, and texts that they quote. */
export type Part = string | { quoted: string };
export type Offer = Accepted & { text: string };

const WHO: Record<string, string> = {
  denoiser: 'written by the denoiser',
  draft: 'found after similar text (a draft)',
  ngram: 'composed of words of the open files',
  server: 'written by the server',
  name: 'the only name that begins like this',
};

/** `offers`: best first. `own`: what the denoiser wrote; null: it was not asked; undefined: not known any more. */
export function reason([best, ...others]: readonly Offer[], own: string | null | undefined): Part[] {
  if (!best) return [];
  const who = sentence(best.sources.map((source) => WHO[source] ?? `from the ${source}`));
  if (best.sources.includes('server')) return [who];
  if (own === null) return [who, ' The denoiser was not asked: the model does not write this language.'];
  if (own === undefined || best.sources.includes('denoiser')) return [who];
  // It may write more lines than were asked for.
  const wrote = own.split('\n').slice(0, best.text.split('\n').length).join('\n').trim();
  if (!wrote) return [who, ' The denoiser wrote nothing.'];
  if (best.text.trim().startsWith(wrote)) return [who];
  const same = others.find((each) => each.text.trim() === wrote);
  const chance = same ? ` (${Math.round(100 * same.confidence)}%)` : '';
  return [who, ' That is likelier to be right than what the denoiser wrote: ', { quoted: wrote }, chance];
}

function sentence(said: readonly string[]): string {
  const words = said.join(', ').replace(/, (?=[^,]*$)/, ' and ');
  return words && `${words.charAt(0).toUpperCase()}${words.slice(1)}.`;
}
