/** EXIF data from one file to another: where, when and how a photograph was taken. */
import { buf as crc } from "crc-32";

const SEARCHED = 1 << 18; // bytes at the start of a file
const view = (file: Uint8Array) => new DataView(file.buffer, file.byteOffset, file.byteLength);
const word = (value: number) => Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);

/** Return the EXIF data of a JPEG or PNG file, upright and without thumbnail, if it has any. */
export function readExif(file: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
  const head = new TextDecoder("latin1").decode(file.subarray(0, SEARCHED));
  const segment = head.search(/\u00ff\u00e1..Exif\0\0/s); // of JPEG
  const chunk = head.search(/....eXIf/s); // of PNG
  try {
    const tiff = segment > 0
      ? file.slice(segment + 10, segment + 2 + view(file).getUint16(segment + 2))
      : file.slice(chunk + 8, chunk + 8 + view(file).getUint32(chunk));
    const bytes = view(tiff);
    const little = bytes.getUint16(0) === 0x4949;
    const start = bytes.getUint32(4, little);
    const end = start + 2 + 12 * bytes.getUint16(start, little);
    for (let at = start + 2; at < end; at += 12)
      if (bytes.getUint16(at, little) === 274) bytes.setUint16(at + 8, 1, little); // upright
    bytes.setUint32(end, 0, little); // no thumbnail, which would be dark
    return tiff;
  } catch {
    return undefined; // there are none, or they are damaged
  }
}

/** Return a JPEG or PNG file with EXIF data, after its header; a JPEG without those that exceed its 64 kB. */
export function withExif(file: Uint8Array<ArrayBuffer>, tiff: Uint8Array<ArrayBuffer>): BlobPart[] {
  if (file[0] !== 0x89)
    return tiff.length > 65527 ? [file] : [file.slice(0, 2), word(0xffe10008 + tiff.length), "Exif\0\0", tiff, file.slice(2)];
  const sum = crc(tiff, crc(new TextEncoder().encode("eXIf")));
  return [file.slice(0, 33), word(tiff.length), "eXIf", tiff, word(sum), file.slice(33)];
}
