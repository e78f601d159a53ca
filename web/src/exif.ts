/** EXIF data from one file to another: where, when and how a photograph was taken. */

const EXIF = [0x45, 0x78, 0x69, 0x66, 0, 0]; // "Exif" and what ends it
const PNG = 0x89504e47; // the first four bytes
const EXIF_CHUNK = 0x65584966; // "eXIf"
const [APP1, PIXELS] = [0xe1, 0xda]; // segments of JPEG

const view = (file: Uint8Array) => new DataView(file.buffer, file.byteOffset, file.byteLength);

/** Return the EXIF data of a JPEG or PNG file, upright and without thumbnail, if it has any. */
export function readExif(file: Uint8Array): Uint8Array | undefined {
  const bytes = view(file);
  try {
    if (bytes.getUint32(0) === PNG)
      for (let at = 8; ; at += 12 + bytes.getUint32(at))
        if (bytes.getUint32(at + 4) === EXIF_CHUNK)
          return upright(file.slice(at + 8, at + 8 + bytes.getUint32(at)));
    if (bytes.getUint16(0) !== 0xffd8) return;
    for (let at = 2; bytes.getUint8(at + 1) !== PIXELS; at += 2 + bytes.getUint16(at + 2))
      if (bytes.getUint8(at + 1) === APP1 && EXIF.every((byte, i) => file[at + 4 + i] === byte))
        return upright(file.slice(at + 10, at + 2 + bytes.getUint16(at + 2)));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // the file is cut short, or has none
  }
}

/** Set the orientation to upright and unlink the thumbnail of the dark photograph, in place. */
function upright(tiff: Uint8Array): Uint8Array {
  const bytes = view(tiff);
  const little = bytes.getUint16(0) === 0x4949;
  const start = bytes.getUint32(4, little);
  const end = start + 2 + 12 * bytes.getUint16(start, little);
  for (let at = start + 2; at < end; at += 12)
    if (bytes.getUint16(at, little) === 274) bytes.setUint16(at + 8, 1, little);
  bytes.setUint32(end, 0, little);
  return tiff;
}

/** Return a JPEG or PNG file with EXIF data. */
export function withExif(file: Uint8Array, tiff: Uint8Array): BlobPart[] {
  const png = view(file).getUint32(0) === PNG;
  const part = new Uint8Array(tiff.length + (png ? 12 : 10));
  const bytes = view(part);
  if (png) {
    bytes.setUint32(0, tiff.length);
    bytes.setUint32(4, EXIF_CHUNK);
    part.set(tiff, 8);
    bytes.setUint32(8 + tiff.length, crc(part.subarray(4, 8 + tiff.length)));
  } else {
    bytes.setUint16(0, 0xff00 + APP1);
    bytes.setUint16(2, part.length - 2);
    part.set([...EXIF, ...tiff], 4);
  }
  const at = png ? 33 : 2; // after the header
  return [file.slice(0, at), part, file.slice(at)];
}

function crc(bytes: Uint8Array): number {
  let sum = -1;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ (sum & 1 && 0xedb88320);
  }
  return ~sum >>> 0;
}
