declare module "d3-dsv" {
  /** A parser of text with this character between values, by RFC 4180. */
  export function dsvFormat(delimiter: string): { parseRows(text: string): string[][] };
}
