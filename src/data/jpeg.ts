/** What a JPEG tells before its image data (ITU T.81, annex B), without decoding anything. */
import { exifOrientation } from "./decode-tiff.ts";

export interface JpegHeader {
  /** As stored, in pixels: EXIF may turn the image. */
  readonly width: number;
  readonly height: number;
  /** 1 is grey, 3 colour, 4 CMYK. */
  readonly components: number;
  readonly progressive: boolean;
  readonly arithmetic: boolean;
  /** 1 to 8, as EXIF counts; undefined where what EXIF says is odd, and decoders may differ. */
  readonly orientation: number | undefined;
  /** Where the first scan's header is. */
  readonly scan: number;
}

const [APP1, START_OF_SCAN] = [0xffe1, 0xffda];
const END_OF_IMAGE = Buffer.from([0xff, 0xd9]);
const EXIF = "Exif\0\0";

export function isJpeg(bytes: Uint8Array): boolean {
  return bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff && bytes[3] !== 0xf7; // that one is JPEG-LS
}

/** Undefined where the segments cannot be followed up to the image data. */
export function jpegHeader(file: Buffer): JpegHeader | undefined {
  let [blocks, orientation]: [number, number | undefined] = [0, 1];
  let frame: Omit<JpegHeader, "orientation" | "scan"> | undefined;
  for (let at = 2; at + 9 < file.length; ) {
    const marker = file.readUInt16BE(at);
    if (marker === 0xffff) {
      at++; // any number of these may stand before a marker
      continue;
    }
    if (marker === START_OF_SCAN) return frame && { ...frame, orientation, scan: at };
    if (marker < 0xffc0) return undefined;
    const end = at + 2 + file.readUInt16BE(at + 2);
    if (marker === APP1 && file.toString("latin1", at + 4, at + 10) === EXIF)
      orientation = blocks++ ? undefined : exifOrientation(file.subarray(at + 10, end));
    if (isStartOfFrame(marker)) frame = readFrame(file, at);
    at = end;
  }
  return undefined;
}

/** SOF0 to SOF15; the three numbers between are tables and extensions. */
function isStartOfFrame(marker: number): boolean {
  return marker >= 0xffc0 && marker <= 0xffcf && ![0xffc4, 0xffc8, 0xffcc].includes(marker);
}

function readFrame(file: Buffer, at: number): Omit<JpegHeader, "orientation" | "scan"> {
  const kind = (file[at + 1] ?? 0) & 0xf;
  return {
    height: file.readUInt16BE(at + 5),
    width: file.readUInt16BE(at + 7),
    components: file.readUInt8(at + 9),
    progressive: (kind & 3) === 2,
    arithmetic: kind > 8,
  };
}

/** Whether the marker that ends an image stands behind the first scan: inside image data 0xff is escaped. */
export function hasEnd(file: Buffer, { scan }: JpegHeader): boolean {
  return file.lastIndexOf(END_OF_IMAGE) > scan;
}

/** Up to its last byte of data: zeros fill a download that broke off, and 0xff alone begins a marker. */
export function trimmed(file: Buffer, { scan }: JpegHeader): Buffer {
  const least = scan + 2 + file.readUInt16BE(scan + 2);
  let length = file.length;
  const isData = (at: number) => file[at] !== 0xff && (file[at] !== 0 || file[at - 1] === 0xff);
  while (length > least && !isData(length - 1)) length--;
  return file.subarray(0, length);
}

/**
 * Two files that decode to the same pixels where `data` has the whole image, and to others where something is missing:
 * a decoder that has all it needs looks at nothing that follows.
 */
export function endings(data: Buffer): [Buffer, Buffer] {
  return [Buffer.concat([data, END_OF_IMAGE]), Buffer.concat([data, Buffer.alloc(4096, 0xa5), END_OF_IMAGE])];
}

/**
 * Whether all scans are there that tell a progressive image's coefficients down to the last bit, or each component of
 * a sequential one.
 */
export function allScans(data: Buffer, { scan, progressive, components }: JpegHeader): boolean {
  // By component and coefficient, how many low bits are missing.
  const missing = new Map<number, Uint8Array>();
  for (let at = scan; at >= 0 && at + 6 < data.length; at = nextScan(data, at)) {
    const count = data[at + 4] ?? 0;
    const [first = 0, last = 63, approximation = 0] = data.subarray(at + 5 + 2 * count, at + 8 + 2 * count);
    for (let k = 0; k < count; k++) {
      const component = data[at + 5 + 2 * k] ?? 0;
      const bits = missing.get(component) ?? new Uint8Array(64).fill(16);
      missing.set(component, bits);
      if (progressive) bits.fill(approximation & 0xf, first, Math.min(last, 63) + 1);
      else bits.fill(0);
    }
  }
  return missing.size >= components && [...missing.values()].every((bits) => bits.every((left) => left === 0));
}

function nextScan(data: Buffer, at: number): number {
  return data.indexOf(Buffer.from([0xff, 0xda]), at + 2);
}
