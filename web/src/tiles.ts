/** Large photographs in overlapping tiles, as llie_helpers/inference/tiles.py divides them. */
import { overlap as OVERLAP, tile as TILE } from "../built/sizes.json";
import { padded, planes, type Picture, type Span } from "./pixels";

/** Enhance padded planes of a height and width at a place: its four edges, top first, as fractions. */
export type Network = (low: Float32Array, size: number[], place: number[]) => Promise<Float32Array>;

/** Return the tiles along one side; the last may be shorter. */
export function spans(length: number): Span[] {
  const found: Span[] = [];
  for (let start = 0; start < Math.max(length - OVERLAP, 1); start += TILE - OVERLAP)
    found.push([start, Math.min(start + TILE, length)]);
  return found;
}

/** Return the weights of a tile along one side, which add up to 1: the middle third of an overlap is blended. */
export function weights([start, end]: Span, length: number): Float32Array {
  const across = (i: number) => Math.min(Math.max((3 * (i + 0.5)) / OVERLAP - 1, 0), 1);
  const ramp = (i: number) => Math.sin((across(i) * Math.PI) / 2) ** 2;
  return Float32Array.from({ length: end - start }, (_, i) =>
    (start > 0 && i < OVERLAP ? ramp(i) : 1) *
    (end < length && end - start - 1 - i < OVERLAP ? ramp(end - start - 1 - i) : 1));
}

/** Enhance a picture of any size from 16x16. */
export async function enhanceTiled(picture: Picture, network: Network, progress: (share: number) => void) {
  const { width, height } = picture;
  const data = new Uint8ClampedArray(picture.data); // keeps the transparency
  const band = new Float32Array(3 * TILE * width); // sums of a row of tiles, with RGB pixels
  const [down, across] = [spans(height), spans(width)];
  for (const [i, rows] of down.entries()) {
    for (const [j, columns] of across.entries()) {
      progress((i * across.length + j) / (down.length * across.length));
      const [ys, xs] = [padded(rows), padded(columns)];
      const [h, w] = [ys.length, xs.length];
      const [top, left] = [rows[0], columns[0]];
      const place = [top / height, left / width, (top + h) / height, (left + w) / width];
      const output = await network(planes(picture, ys, xs), [h, w], place);
      const [vertical, horizontal] = [weights(rows, height), weights(columns, width)];
      for (let y = 0; y < vertical.length; y++)
        for (let x = 0; x < horizontal.length; x++)
          for (let channel = 0; channel < 3; channel++)
            band[3 * (y * width + left + x) + channel] +=
              output[(channel * h + y) * w + x] * vertical[y] * horizontal[x];
    }
    const done = (down[i + 1]?.[0] ?? height) - rows[0]; // rows that no other tile adds to
    for (let pixel = 0; pixel < done * width; pixel++)
      for (let channel = 0; channel < 3; channel++)
        data[4 * (rows[0] * width + pixel) + channel] = 255 * band[3 * pixel + channel];
    band.copyWithin(0, 3 * done * width).fill(0, 3 * (TILE - done) * width);
  }
  return { data, width, height };
}
