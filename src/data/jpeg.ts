/** What a JPEG tells before its image data (ITU T.81, annex B), without decoding anything. */

export interface JpegHeader {
  /** As stored, in pixels: EXIF may turn the image. */
  readonly width: number;
  readonly height: number;
  /** 1 is grey, 3 colour, 4 CMYK. */
  readonly components: number;
  readonly exif: boolean;
  /** False for a file that was cut short: decoders fill what is missing with grey and say nothing. */
  readonly complete: boolean;
}

const APP1 = 0xffe1;
const START_OF_SCAN = 0xffda;
const END_OF_IMAGE = Buffer.from([0xff, 0xd9]);
const EXIF = 0x45786966;

export function isJpeg(bytes: Uint8Array): boolean {
  return bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff;
}

/** Undefined where the segments cannot be followed up to the image data. */
export function jpegHeader(bytes: Uint8Array): JpegHeader | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let exif = false;
  let frame: Pick<JpegHeader, "width" | "height" | "components"> | undefined;
  for (let at = 2; at + 9 < bytes.length; at += 2 + view.getUint16(at + 2)) {
    const marker = view.getUint16(at);
    if (marker === START_OF_SCAN) {
      // Inside image data 0xff is escaped; a thumbnail's end marker stands before it.
      const complete = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).lastIndexOf(END_OF_IMAGE) > at;
      return frame && { ...frame, exif, complete };
    }
    if (marker === APP1 && view.getUint32(at + 4) === EXIF) exif = true;
    if (isStartOfFrame(marker))
      frame = { height: view.getUint16(at + 5), width: view.getUint16(at + 7), components: view.getUint8(at + 9) };
    if (marker < 0xff00) return undefined;
  }
  return undefined;
}

/** SOF0 to SOF15; the three numbers between are tables and extensions. */
function isStartOfFrame(marker: number): boolean {
  return marker >= 0xffc0 && marker <= 0xffcf && ![0xffc4, 0xffc8, 0xffcc].includes(marker);
}
