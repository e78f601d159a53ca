/** Pixels between a canvas, which has RGBA bytes, and the network, which takes planes in [0, 1]. */
import { multiple as MULTIPLE } from "../built/sizes.json";

/** RGBA bytes of so many columns and rows. */
export type Picture = Pick<ImageData, "data" | "width" | "height">;
export type Span = [start: number, end: number];

/** Return the side that is padded to, and which pixel of a span to take for each padded one. */
export function padded([start, end]: Span): number[] {
  const length = end - start;
  return Array.from({ length: MULTIPLE * Math.ceil(length / MULTIPLE) }, (_, i) =>
    start + (i < length ? i : 2 * (length - 1) - i));
}

/** Give hidden pixels, which a canvas makes black, the mean colour of the others, as Python does. */
export function fillHidden({ data }: Picture) {
  const sums = [0, 0, 0, 0]; // of red, green and blue, and the number of pixels
  for (let i = 0; i < data.length; i++)
    if (data[i | 3]) sums[i % 4] += i % 4 === 3 ? 1 : data[i];
  for (let i = 0; i < data.length; i++)
    if (!data[i | 3] && i % 4 !== 3) data[i] = sums[i % 4] / sums[3];
}

/** Return red, green and blue of a part of a picture, padded by reflection. */
export function planes({ data, width }: Picture, rows: number[], columns: number[]): Float32Array {
  const [h, w] = [rows.length, columns.length];
  return new Float32Array(3 * h * w).map((_, i) =>
    data[4 * (rows[Math.floor(i / w) % h] * width + columns[i % w]) + Math.floor(i / (h * w))] / 255);
}

/** Average a picture over areas to planes of side by side pixels; those across an edge count in part. */
export function thumbnail({ data, width, height }: Picture, side: number): Float32Array {
  const [tall, wide] = [height / side, width / side]; // an area, in pixels
  const inside = (pixel: number, i: number, length: number) =>
    Math.min((i + 1) * length, pixel + 1) - Math.max(i * length, pixel);
  return new Float32Array(3 * side * side).map((_, i) => {
    const [channel, y, x] = [Math.floor(i / side ** 2), Math.floor(i / side) % side, i % side];
    let sum = 0;
    for (let row = Math.floor(y * tall); row < (y + 1) * tall; row++)
      for (let column = Math.floor(x * wide); column < (x + 1) * wide; column++)
        sum += data[4 * (row * width + column) + channel] *
          inside(row, y, tall) * inside(column, x, wide);
    return sum / (255 * tall * wide);
  });
}

const linear = (s: number) => (s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4);
const srgb = (l: number) => (l <= 0.0031308 ? 12.92 * l : 1.055 * l ** (1 / 2.4) - 0.055);

/** Multiply the light of the result by 2 ** exposure, then go from the original by strength. */
export function adjusted(low: Picture, enhanced: Picture, exposure: number, strength: number): Picture {
  const exposed = Float32Array.from({ length: 256 }, (_, level) =>
    255 * Math.min(1, srgb(linear(level / 255) * 2 ** exposure)));
  const data = low.data.map((before, i) =>
    i % 4 === 3 ? before : before + (exposed[enhanced.data[i]] - before) * strength);
  return { data, width: low.width, height: low.height };
}
