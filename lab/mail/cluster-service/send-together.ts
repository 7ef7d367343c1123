/**
 * For what is sent often and may go together: one request runs, and what comes meanwhile goes with the next one, in order.
 *
 * @param send must not reject
 * @returns settles when the request has ended that the item went with
 */
export function createLine<T>(send: (items: readonly T[]) => Promise<unknown>) {
  let waiting: { readonly item: T; done(): void }[] = [];
  let isRunning = false;
  const run = async () => {
    isRunning = true;
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      await send(batch.map(({ item }) => item));
      for (const { done } of batch) done();
    }
    isRunning = false;
  };
  return (item: T) =>
    new Promise<void>((done) => {
      waiting.push({ item, done });
      if (!isRunning) void run();
    });
}
