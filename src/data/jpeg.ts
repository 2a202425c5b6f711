/** Reads the header and the scans of a JPEG (ITU T.81, annex B). Nothing is decoded. */
import { exifOrientation } from "./decode-tiff.ts";

export interface JpegHeader {
  /** As stored, in pixels, before any EXIF rotation. */
  readonly width: number;
  readonly height: number;
  /** 1 is grey, 3 colour, 4 CMYK. */
  readonly components: number;
  readonly progressive: boolean;
  readonly arithmetic: boolean;
  /** EXIF orientation, 1 to 8; undefined if the EXIF data is malformed, because decoders may then differ. */
  readonly orientation: number | undefined;
  /** Offset of the first scan's header. */
  readonly scan: number;
}

const [APP1, START_OF_SCAN] = [0xffe1, 0xffda];
const END_OF_IMAGE = Buffer.from([0xff, 0xd9]);
const EXIF = "Exif\0\0";

export function isJpeg(bytes: Uint8Array): boolean {
  return bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff && bytes[3] !== 0xf7; // that one is JPEG-LS
}

/** Undefined if the segments cannot be followed to the image data. */
export function jpegHeader(file: Buffer): JpegHeader | undefined {
  let [blocks, orientation]: [number, number | undefined] = [0, 1];
  let frame: Omit<JpegHeader, "orientation" | "scan"> | undefined;
  for (let at = 2; at + 9 < file.length; ) {
    const marker = file.readUInt16BE(at);
    if (marker === 0xffff) {
      at++; // any number of fill bytes may precede a marker
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

/** SOF0 to SOF15, except the three codes among them that are tables and extensions. */
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

/** Whether the end marker comes after the first scan. It cannot be image data, where 0xff is escaped. */
export function hasEnd(file: Buffer, { scan }: JpegHeader): boolean {
  return file.lastIndexOf(END_OF_IMAGE) > scan;
}

/** The file up to its last byte of data: an interrupted download may end in zeros, and a single 0xff begins a marker. */
export function trimmed(file: Buffer, { scan }: JpegHeader): Buffer {
  const least = scan + 2 + file.readUInt16BE(scan + 2);
  let length = file.length;
  const isData = (at: number) => file[at] !== 0xff && (file[at] !== 0 || file[at - 1] === 0xff);
  while (length > least && !isData(length - 1)) length--;
  return file.subarray(0, length);
}

/**
 * Two files that decode to the same pixels if `data` has the whole image, and to different pixels if something is missing:
 * a decoder that has all it needs ignores what follows.
 */
export function endings(data: Buffer): [Buffer, Buffer] {
  return [Buffer.concat([data, END_OF_IMAGE]), Buffer.concat([data, Buffer.alloc(4096, 0xa5), END_OF_IMAGE])];
}

/**
 * Whether no scan is missing: a progressive image needs every coefficient down to the last bit, a sequential one every
 * component.
 */
export function allScans(data: Buffer, { scan, progressive, components }: JpegHeader): boolean {
  // Number of missing low bits, by component and coefficient.
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
