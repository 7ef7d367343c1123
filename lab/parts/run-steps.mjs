/** Runs steps that depend on each other, each as soon as what it needs is done. */

/**
 * @typedef {object} Step
 * @property {string} name
 * @property {string[]} after names of steps; those that are not in the list count as done
 * @property {(signal: AbortSignal) => Promise<string | void>} run says in a few words what it did
 */

/**
 * @param {Step[]} steps
 * @param {{ signal: AbortSignal, onBegin?: (name: string) => void,
 *   onEnd?: (name: string, seconds: number, said: string) => void,
 *   onFail?: (error: unknown) => void }} options
 * @returns {Promise<void>} rejects with the first failure, after all that still ran have settled
 */
export async function runSteps(steps, { signal, onBegin, onEnd, onFail }) {
  const byName = new Map(steps.map((step) => [step.name, step]));
  const running = new Map();
  let failure = null;
  const runOne = async (step) => {
    await Promise.all(step.after.filter((name) => byName.has(name)).map(start));
    if (failure !== null || signal.aborted) return;
    const beganAtMs = Date.now();
    onBegin?.(step.name);
    try {
      const said = await step.run(signal);
      onEnd?.(step.name, (Date.now() - beganAtMs) / 1000, said ?? '');
    } catch (error) {
      if (failure !== null) return;
      failure = { error };
      onFail?.(error);
    }
  };
  const start = (name) => {
    if (!running.has(name)) running.set(name, runOne(byName.get(name)));
    return running.get(name);
  };
  await Promise.all(steps.map((step) => start(step.name)));
  if (failure !== null) throw failure.error;
}
