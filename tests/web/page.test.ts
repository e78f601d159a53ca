import { expect, test } from "vitest";
import { overlap, tile } from "../../web/built/sizes.json";
import { readExif, withExif } from "../../web/src/exif";
import { adjusted, fillHidden, padded, planes, thumbnail, type Picture } from "../../web/src/pixels";
import { enhanceTiled, spans, weights } from "../../web/src/tiles";

function noise(width: number, height: number): Picture {
  const data = new Uint8ClampedArray(4 * width * height).map((_, i) => (i * i * 31 + 7 * i) % 256);
  return { data, width, height };
}

test("padding mirrors the pixels before the edge, to a multiple of 8", () => {
  expect(padded([0, 16])).toEqual([...Array(16).keys()]);
  expect(padded([3, 8])).toEqual([3, 4, 5, 6, 7, 6, 5, 4]);
});

test("planes are red, then green, then blue, in [0, 1]", () => {
  const data = Uint8ClampedArray.of(255, 51, 0, 9, 0, 102, 255, 9);
  const found = planes({ data, width: 2, height: 1 }, [0], [0, 1]);
  expect([...found].map((value) => Math.round(5 * value))).toEqual([5, 0, 1, 2, 0, 5]);
});

test("hidden pixels get the mean colour of the others, and stay hidden", () => {
  const picture = { data: Uint8ClampedArray.of(10, 20, 30, 255, 0, 0, 0, 0, 30, 60, 90, 1), width: 3, height: 1 };
  fillHidden(picture);
  expect([...picture.data]).toEqual([10, 20, 30, 255, 20, 40, 60, 0, 30, 60, 90, 1]);
});

test.each([[5, 3], [64, 64], [100, 77]])("a thumbnail of %ix%i keeps the mean", (width, height) => {
  const picture = noise(width, height);
  picture.data.fill(51);
  expect(thumbnail(picture, 64).every((value) => Math.abs(value - 0.2) < 1e-6)).toBe(true);
});

test("a thumbnail averages areas, and shares the pixels between them", () => {
  const data = Uint8ClampedArray.from([0, 51, 255].flatMap((level) => [level, level, level, 255]));
  const [left, right] = thumbnail({ data, width: 3, height: 1 }, 2);
  expect(left).toBeCloseTo(17 / 255, 6);
  expect(right).toBeCloseTo(187 / 255, 6);
});

test.each([16, 192, 193, 768, 769, 1344, 4000])("tiles cover %i pixels, with weights of 1", (length) => {
  const total = new Float32Array(length);
  for (const span of spans(length)) {
    expect(span[1] - span[0]).toBeLessThanOrEqual(tile);
    weights(span, length).forEach((weight, i) => (total[span[0] + i] += weight));
  }
  expect(total.every((sum) => Math.abs(sum - 1) < 1e-6)).toBe(true);
  expect(overlap % 64).toBe(0); // the windows of the network align in all tiles
});

test("a network that changes nothing gives the picture back, at any size", async () => {
  for (const [width, height] of [[17, 30], [800, 1000]]) {
    const picture = noise(width, height);
    const places: number[][] = [];
    const network = async (low: Float32Array, [h, w]: number[], place: number[]) => {
      expect(low.length).toBe(3 * h * w);
      places.push(place);
      return low;
    };
    const output = await enhanceTiled(picture, network, () => undefined);
    expect(output.data.every((level, i) => level === picture.data[i])).toBe(true);
    expect(places[0].slice(0, 2)).toEqual([0, 0]);
    expect(places.at(-1)![2] * height).toBeGreaterThanOrEqual(height);
  }
});

test("progress is the share that is done", async () => {
  const shares: number[] = [];
  await enhanceTiled(noise(2000, 20), async (low) => low, (share) => shares.push(share));
  expect(shares).toEqual([0, 0.25, 0.5, 0.75]);
});

test("exposure doubles linear light, and strength goes from the original to the result", () => {
  const grey = (level: number) => ({ data: Uint8ClampedArray.of(level, level, level, 7), width: 1, height: 1 });
  const red = (...[exposure, strength]: number[]) => adjusted(grey(50), grey(188), exposure, strength).data[0];
  expect([red(0, 1), red(0, 0), red(0, 0.5), red(-1, 1), red(5, 1)]).toEqual([188, 50, 119, 137, 255]);
});

const JPEG = Uint8Array.of(0xff, 0xd8, 0xff, 0xda, 0, 2, 0xff, 0xd9);
const PNG = Uint8Array.from([0x89504e47, 0x0d0a1a0a, 13, 0x49484452, 1, 1, 0x08020000, 0, 0].flatMap(
  (word) => [24, 16, 8, 0].map((bits) => (word >>> bits) & 255))).slice(0, 33);
const joined = async (parts: BlobPart[]) => new Uint8Array(await new Blob(parts).arrayBuffer());

test("EXIF data of a PNG file that are too long for JPEG are left out of it", async () => {
  expect(await joined(withExif(JPEG, new Uint8Array(65528)))).toEqual(JPEG);
  expect((await joined(withExif(JPEG, new Uint8Array(65527)))).slice(2, 6)).toEqual(Uint8Array.of(0xff, 0xe1, 0xff, 0xff));
});

test.each([["JPEG", JPEG], ["PNG", PNG]])("EXIF data go into a %s file and become upright", async (_, file) => {
  // A directory of one tag, orientation 6, and a directory of the thumbnail at 26.
  const tiff = Uint8Array.of(0x4d, 0x4d, 0, 42, 0, 0, 0, 8, 0, 1, 1, 18, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 26);
  const found = readExif(await joined(withExif(file, tiff)))!;
  expect([...found]).toEqual([...tiff.slice(0, 19), 1, ...tiff.slice(20, 25), 0]);
  expect(readExif(file)).toBeUndefined();
  expect(readExif(Uint8Array.of())).toBeUndefined();
});
