/**
 * Classes of emoji, from Unicode's subgroups (emoji-test.txt, here from the npm package emoji.json), and families of emoji
 * that are variants of one another.
 *
 * A class joins all of Unicode's subgroups that one word describes ("face-smiling", "face-hat" and ten more are faces). It has
 * at least 60 drawings of at least 15 families, so that there are 25 training drawings and some to evaluate on. Left out are
 * signs (the group Symbols) and subgroups that no single word describes ("event", "household", "other-object").
 * The classes were chosen by counts, not by results.
 */
const PATTERNS: Readonly<Record<string, RegExp>> = {
  face: /^face-/,
  person: /^(person|family)/,
  hand: /^hand/,
  animal: /^animal-/,
  plant: /^plant-/,
  food: /^food-/,
  drink: /^drink$/,
  building: /^place-(building|religious)$/,
  vehicle: /^transport-(ground|water|air)$/,
  sky: /^sky & weather$/,
  sport: /^sport$/,
  clothing: /^clothing$/,
  tool: /^tool$/,
  music: /^musi/,
  flag: /flag$/,
};

export const EMOJI_CLASSES = Object.keys(PATTERNS);

/** An entry of emoji.json. */
export interface UnicodeEmoji {
  /** Code points in hexadecimal, separated by spaces. */
  codes: string;
  subgroup: string;
}

/** The subgroup of each emoji, by its {@link plainCodes}. */
export function subgroupsOf(list: readonly UnicodeEmoji[]): Map<string, string> {
  return new Map(list.map(({ codes, subgroup }) => [plainCodes(codes), subgroup]));
}

/** 0 to classes - 1, or -1 for a subgroup in no class. */
export function classOf(subgroup: string): number {
  return Object.values(PATTERNS).findIndex((pattern) => pattern.test(subgroup));
}

/** Code points in hexadecimal, joined by hyphens, without the variation selector that some designers write and others do not. */
export function plainCodes(codes: string): string {
  return codes
    .toLowerCase()
    .split(/[ -]/)
    .filter((code) => code !== "fe0f")
    .join("-");
}

const PEOPLE = /1f46[6-9]|1f9d[12]/g;
const COUPLE_OR_GROUP = /^1f4(6[a-d]|8f|91)$/;
const CLOCK = /^1f5(5[0-9a-f]|6[0-7])$/;
const PLAIN_HEART = /^(2764|1f49[9a-c]|1f5a4|1f90[de]|1f9e1|1fa7[5-7])$/;

/**
 * Emoji of one family are nearly the same picture: women, men and people doing the same thing, couples and families of any
 * members, clocks at any hour, hearts of any colour. Takes {@link plainCodes}.
 */
export function familyOf(emoji: string): string {
  if ((emoji.match(PEOPLE) ?? []).length > 1 || COUPLE_OR_GROUP.test(emoji)) return "people together";
  if (CLOCK.test(emoji)) return "clock face";
  if (PLAIN_HEART.test(emoji)) return "plain heart";
  return emoji
    .replace(/-200d-(2640|2642|27a1)/g, "") // woman, man, facing right
    .replace(/^1f46[89]/, "1f9d1") // man, woman: person
    .replace(/^1f46[67]/, "1f9d2") // boy, girl: child
    .replace(/^1f47[45]/, "1f9d3"); // old man, old woman: older person
}
