/**
 * What an emoji shows, by the subgroups that Unicode sorts emoji into (emoji-test.txt, here from the npm package emoji.json),
 * and which emoji are variants of one another.
 *
 * The rule for a class: Unicode's subgroups of one thing that a single word names, taken together ("face-smiling", "face-hat" and
 * ten more are faces), at least 60 drawings of at least 15 families, so that every class has 25 training drawings and some to
 * measure on. Signs (the group Symbols) are left out, and so is what no one word names ("event", "household", "other-object").
 * Counts decided, not results.
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
  /** Code points in hexadecimal, with spaces between them. */
  codes: string;
  subgroup: string;
}

/** The subgroup of each emoji, by its {@link plainCodes}. */
export function subgroupsOf(list: readonly UnicodeEmoji[]): Map<string, string> {
  return new Map(list.map(({ codes, subgroup }) => [plainCodes(codes), subgroup]));
}

/** 0 to classes - 1, or -1 for a subgroup in none of the classes. */
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
 * Emoji of one family are nearly the same picture: women, men and persons who do the same thing, couples and families of any
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
