/** Properties on random values, seeded: a failure prints seed and path, and PROPERTY_SEED repeats it. */
import fc from 'fast-check';

const DEFAULT_SEED = 20_260_801;

/** Checks `claim` on `runs` random values; it fails by throwing or by answering false. */
export function holdsFor<T>(
  values: fc.Arbitrary<T>,
  claim: (value: T) => boolean | void,
  runs = 300,
): void {
  const seed = Number(process.env['PROPERTY_SEED'] ?? DEFAULT_SEED);
  fc.assert(fc.property(values, claim), { seed, numRuns: runs });
}
