/** Numbers as a reader wants them. */

/** 0.4963 to "49.6 %". */
export function percent(value: number): string {
  return `${(value * 100).toFixed(1)} %`;
}

/** 0.2154 to "+21.5". */
export function signed(difference: number): string {
  const rounded = (Math.abs(difference) * 100).toFixed(1);
  const sign = rounded === "0.0" ? "" : difference < 0 ? "−" : "+";
  return `${sign}${rounded}`;
}

/** 0.2154 to "+21.5 points". */
export function points(difference: number): string {
  return `${signed(difference)} points`;
}

/** 1, "draw" to "1 draw"; 1234 to "1,234 draws". */
export function count(number: number, one: string, several = `${one}s`): string {
  return `${number.toLocaleString("en-US")} ${number === 1 ? one : several}`;
}

export function labelCount(labelsPerClass: number | "all"): string {
  return labelsPerClass === "all" ? "all labels" : `${count(labelsPerClass, "label")} per class`;
}
