/** Points on a plain map: longitude to the right, latitude up. */
import type { Place } from './place.ts';

export class MapPlot {
  readonly #canvas: HTMLCanvasElement;
  readonly #context: CanvasRenderingContext2D;

  constructor(canvas: HTMLCanvasElement) {
    this.#canvas = canvas;
    this.#context = canvas.getContext('2d')!;
  }

  clear(): void {
    const { width, height } = this.#canvas;
    this.#context.clearRect(0, 0, width, height);
    this.#context.fillStyle = getComputedStyle(this.#canvas).getPropertyValue('--accent');
    this.#context.globalAlpha = 0.55;
  }

  draw({ lat, lng }: Pick<Place, 'lat' | 'lng'>): void {
    const { width, height } = this.#canvas;
    this.#context.fillRect(((lng + 180) / 360) * width, ((90 - lat) / 180) * height, 1.5, 1.5);
  }
}
