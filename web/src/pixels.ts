/** Pixels between a canvas, which has RGBA bytes, and the network, which takes planes in [0, 1]. */

import { multiple as MULTIPLE } from "../built/sizes.json";

export interface Picture {
  data: Uint8ClampedArray<ArrayBuffer>; // RGBA
  width: number;
  height: number;
}

export type Span = [start: number, end: number];

/** Return the side that is padded to, and which pixel of a span to take for each padded one. */
export function padded([start, end]: Span): number[] {
  const length = end - start;
  return Array.from({ length: MULTIPLE * Math.ceil(length / MULTIPLE) }, (_, i) =>
    start + (i < length ? i : 2 * (length - 1) - i));
}

/** Return red, green and blue of a part of a picture, padded by reflection. */
export function planes({ data, width }: Picture, rows: number[], columns: number[]): Float32Array {
  const size = rows.length * columns.length;
  const found = new Float32Array(3 * size);
  let at = 0;
  for (const row of rows)
    for (const column of columns) {
      const pixel = 4 * (row * width + column);
      for (let channel = 0; channel < 3; channel++)
        found[channel * size + at] = data[pixel + channel] / 255;
      at++;
    }
  return found;
}

/** Average a picture over areas to planes of side by side pixels; those across an edge count in part. */
export function thumbnail({ data, width, height }: Picture, side: number): Float32Array {
  const small = new Float32Array(3 * side * side);
  const area = (i: number, length: number): Span => [(i * length) / side, ((i + 1) * length) / side];
  const inside = (at: number, [from, to]: Span) => Math.min(to, at + 1) - Math.max(from, at);
  for (let i = 0; i < side * side; i++) {
    const rows = area(Math.floor(i / side), height);
    const columns = area(i % side, width);
    const sums = [0, 0, 0];
    for (let row = Math.floor(rows[0]); row < rows[1]; row++)
      for (let column = Math.floor(columns[0]); column < columns[1]; column++) {
        const share = inside(row, rows) * inside(column, columns);
        for (let channel = 0; channel < 3; channel++)
          sums[channel] += share * data[4 * (row * width + column) + channel];
      }
    const total = (255 * height * width) / side ** 2;
    sums.forEach((sum, channel) => (small[channel * side * side + i] = sum / total));
  }
  return small;
}

const linear = (s: number) => (s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4);
const srgb = (l: number) => (l <= 0.0031308 ? 12.92 * l : 1.055 * l ** (1 / 2.4) - 0.055);

/** Multiply the light of the result by 2 ** exposure, then go from the original by strength. */
export function adjusted(low: Picture, enhanced: Picture, exposure: number, strength: number): Picture {
  const exposed = Float32Array.from({ length: 256 }, (_, level) =>
    255 * Math.min(1, srgb(linear(level / 255) * 2 ** exposure)));
  const data = new Uint8ClampedArray(low.data.length);
  for (let i = 0; i < data.length; i++) {
    const before = low.data[i];
    data[i] = i % 4 === 3 ? before : before + (exposed[enhanced.data[i]] - before) * strength;
  }
  return { data, width: low.width, height: low.height };
}
