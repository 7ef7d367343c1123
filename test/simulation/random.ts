/** Numbers in [0, 1); the same seed gives the same ones. */
export type Random = () => number;

export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Near enough to the normal distribution, with deviation 1. */
export function normal(random: Random): number {
  return (random() + random() + random() + random() - 2) * Math.sqrt(3);
}

/** How many of `mean` expected events come: a whole number, never below 0. */
export function eventsOf(mean: number, random: Random): number {
  if (mean <= 0) return 0;
  if (mean < 3) return Math.floor(mean + random());
  return Math.max(0, Math.round(mean + Math.sqrt(mean) * normal(random)));
}

/** How many of `tries` fail with this chance each; none at 0, all at 1. */
export function failuresOf(tries: number, chance: number, random: Random): number {
  if (chance <= 0 || tries === 0) return 0;
  if (chance >= 1) return tries;
  const deviation = Math.sqrt(tries * chance * (1 - chance));
  return Math.min(tries, Math.max(0, Math.round(tries * chance + deviation * normal(random))));
}

export function shuffle(items: Float64Array, random: Random): void {
  for (let index = items.length - 1; index > 0; index -= 1) {
    const other = Math.floor(random() * (index + 1));
    const kept = items[index] ?? 0;
    items[index] = items[other] ?? 0;
    items[other] = kept;
  }
}
