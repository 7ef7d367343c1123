/** The LAB_NET whose parts `lab/test.mjs` started for this run; addresses are 127.<net>.*. */
export function testNet(): string {
  const net = process.env['DK_TEST_NET'];
  if (net === undefined) {
    throw new Error(
      'DK_TEST_NET is not set: run the tests by `npm test`, which starts the real parts',
    );
  }
  return net;
}
