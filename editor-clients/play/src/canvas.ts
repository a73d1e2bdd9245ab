/** Draws the canvas of the last fill, frame by frame, with a slider to go back through them. The last frame is what is
 * offered; only that has the colours of what is sure. */

import { type Frame, frames, outcome, type Piece, summary, type Winner } from './frames';
import type { Draft, Refused } from './protocol';
import { type Offer, reason } from './reason';

const FRAME_MS = 350;

export class CanvasView {
  private drafts: Draft[] = [];
  private frames: Frame[] = [];
  private denoised = 0; // frames before what is offered
  private answered = true; // since the last draft
  private playing: number | undefined;

  constructor(
    private readonly board: HTMLElement,
    private readonly slider: HTMLInputElement,
    private readonly told: HTMLElement,
    private readonly outcome: HTMLElement,
    replay: HTMLButtonElement,
    private readonly still: () => boolean, // the reader wants nothing to move
  ) {
    slider.addEventListener('input', () => {
      this.stop();
      this.draw();
    });
    replay.addEventListener('click', () => {
      this.play();
    });
    board.addEventListener('mouseover', (event) => {
      this.describe(event.target);
    });
    board.addEventListener('focusin', (event) => {
      this.describe(event.target);
    });
  }

  add(draft: Draft): void {
    if (draft.step === 1) {
      this.drafts = [];
      this.outcome.textContent = 'Denoising…';
    }
    this.answered = false;
    this.drafts.push(draft);
    this.put(frames(this.drafts));
    // Steps come faster than anyone can watch: the first one starts the show, the others prolong it.
    if (draft.step === 1) this.play();
    else if (this.playing === undefined) this.show(this.frames.length - 1);
  }

  /** `items`: what the server offers, best first; `winner` is the first of them, in its document. */
  offered(items: readonly Offer[], winner: Winner): void {
    const last = this.drafts.at(-1);
    // What is typed through is answered from memory. Elsewhere an answer without drafts is one without the model.
    const rest = this.answered && last?.uri === winner.uri && last.position.line === winner.line;
    if (this.answered && !rest) this.clear();
    this.answered = true;
    const own = rest ? undefined : (this.drafts.at(-1)?.texts[0] ?? null);
    const sure = ` (${percent(winner.confidence)} sure). `;
    this.outcome.replaceChildren('Offered: ', code(winner.text), sure, ...reason(items, own).map(told));
    const atEnd = Number(this.slider.value) >= this.frames.length - 1;
    const denoised = this.frames.slice(0, this.denoised);
    this.put(denoised, outcome(winner, denoised[0]));
    if (this.playing === undefined && atEnd) this.show(this.frames.length - 1);
  }

  refused(refused: Refused): void {
    this.answered = true;
    this.outcome.textContent = `Nothing offered: ${refused.message}`;
  }

  /** For a document of which nothing has been asked yet. */
  forget(): void {
    this.clear();
    this.put([]);
    this.draw();
    this.outcome.textContent = 'Type, or press Suggest.';
  }

  private clear(): void {
    this.stop();
    this.drafts = [];
    this.frames = [];
    this.denoised = 0;
    this.answered = true;
  }

  private put(denoised: Frame[], won?: Frame): void {
    this.denoised = denoised.length;
    this.frames = won ? [...denoised, won] : denoised;
    this.slider.max = String(Math.max(0, this.frames.length - 1));
    this.slider.disabled = this.frames.length < 2;
  }

  private play(): void {
    this.stop();
    if (this.still()) {
      this.show(this.frames.length - 1);
      return;
    }
    this.show(0);
    this.playing = window.setInterval(() => {
      const next = Number(this.slider.value) + 1;
      if (next < this.frames.length) this.show(next);
      if (next >= this.frames.length - 1) this.stop();
    }, FRAME_MS);
  }

  private stop(): void {
    window.clearInterval(this.playing);
    this.playing = undefined;
  }

  private show(frame: number): void {
    this.slider.value = String(frame);
    this.draw();
  }

  private draw(): void {
    const step = Number(this.slider.value);
    const frame = this.frames[step] ?? [];
    this.told.textContent = frame.length ? summary(frame, step, this.denoised - 1) : '';
    this.slider.setAttribute('aria-valuetext', this.told.textContent);
    this.board.replaceChildren(...frame.map(drawn));
  }

  private describe(target: EventTarget | null): void {
    const about = target instanceof HTMLElement ? target.dataset['about'] : undefined;
    if (about) this.told.textContent = about;
  }
}

function drawn(piece: Piece): HTMLElement {
  const span = document.createElement('span');
  span.className = `piece ${piece.kind}${piece.text ? '' : ' end'}`;
  span.textContent = visible(piece.text, piece.kind);
  if (piece.kind === 'pinned') return span;
  span.style.setProperty('--chance', piece.chance.toFixed(3));
  if (piece.kind === 'offered') return span;
  const guess = piece.guess ? JSON.stringify(piece.guess) : 'the end of the hole';
  const chance = percent(piece.chance);
  span.dataset['about'] =
    piece.kind === 'noise'
      ? piece.chance
        ? `Noise; the model would write ${guess} (${chance})`
        : 'Noise: a random token'
      : `${piece.kind === 'accepted' ? 'Accepted' : 'Best guess'}: ${guess} (${chance})`;
  span.title = span.dataset['about'];
  return span;
}

function visible(text: string, kind: Piece['kind']): string {
  if (kind === 'pinned') return text;
  return text ? text.replaceAll('\n', '↵\n').replaceAll('\t', '⇥\t') : '∎';
}

function percent(share: number): string {
  return `${Math.round(100 * share)}%`;
}

/** A sentence's parts: words, and the texts that are quoted in it. */
function told(part: string | { quoted: string }): string | HTMLElement {
  return typeof part === 'string' ? part : code(part.quoted);
}

function code(text: string): HTMLElement {
  const made = document.createElement('code');
  made.textContent = text;
  return made;
}
