/** Draws the canvas of the last fill, frame by frame, with a slider to go back through them. */

import { type Frame, frames, type Piece, summary } from './frames';
import type { Accepted, Draft, Refused } from './protocol';

const FRAME_MS = 350;

export class CanvasView {
  private drafts: Draft[] = [];
  private frames: Frame[] = [];
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
    this.drafts.push(draft);
    this.frames = frames(this.drafts);
    this.slider.max = String(Math.max(0, this.frames.length - 1));
    this.slider.disabled = this.frames.length < 2;
    // Steps come faster than anyone can watch: the first one starts the show, the others prolong it.
    if (draft.step === 1) this.play();
    else if (this.playing === undefined) this.show(this.frames.length - 1);
  }

  offered(item: Accepted | undefined, text: string): void {
    const sure = item ? `${Math.round(100 * item.confidence)}% sure` : '';
    const from = item?.sources.includes('draft') ? ', as elsewhere in the text' : ', written by the model';
    this.outcome.replaceChildren('Offered: ', code(text), item ? ` (${sure}${from})` : '');
  }

  refused(refused: Refused): void {
    this.outcome.textContent = `Nothing offered: ${refused.message}`;
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
    this.told.textContent = summary(frame, step, this.frames.length - 1);
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
  const guess = piece.guess ? JSON.stringify(piece.guess) : 'the end of the hole';
  const chance = `${Math.round(100 * piece.chance)}%`;
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

function code(text: string): HTMLElement {
  const made = document.createElement('code');
  made.textContent = text;
  return made;
}
