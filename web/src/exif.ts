/** EXIF data from one file to another: where, when and how a photograph was taken. */

const SEARCHED = 1 << 18; // bytes at the start of a file
const view = (file: Uint8Array) => new DataView(file.buffer, file.byteOffset, file.byteLength);

/** Return the EXIF data of a JPEG or PNG file, upright and without thumbnail, if it has any. */
export function readExif(file: Uint8Array): Uint8Array | undefined {
  const head = new TextDecoder("latin1").decode(file.subarray(0, SEARCHED));
  const segment = head.search(/\u00ff\u00e1..Exif\0\0/s); // of JPEG
  const chunk = head.search(/....eXIf/s); // of PNG
  const [start, end] = segment > 0 ? [segment + 10, segment + 2 + view(file).getUint16(segment + 2)]
    : chunk > 0 ? [chunk + 8, chunk + 8 + view(file).getUint32(chunk)] : [0, 0];
  try {
    return upright(file.slice(start, end));
  } catch {
    return undefined; // there are none, or they are damaged
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
  const png = file[0] === 0x89;
  const part = new Uint8Array(tiff.length + (png ? 12 : 10));
  const bytes = view(part);
  if (png) {
    bytes.setUint32(0, tiff.length);
    part.set(new TextEncoder().encode("eXIf"), 4);
    part.set(tiff, 8);
    bytes.setUint32(8 + tiff.length, crc(part.subarray(4, 8 + tiff.length)));
  } else {
    bytes.setUint32(0, 0xffe10000 + part.length - 2);
    part.set(new TextEncoder().encode("Exif\0\0"), 4);
    part.set(tiff, 10);
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
