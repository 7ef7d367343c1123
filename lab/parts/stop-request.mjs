/** Being asked to stop: by a signal, or because npm, which started us, is gone. */

/** npm passes a Ctrl-C on that the terminal has sent to us as well: only a later one is a second. */
const SECOND_SIGNAL_MS = 1500;
const PARENT_CHECK_MS = 1000;

/**
 * @param {{ onFirst: () => void, onSecond?: () => void }} handlers onSecond: somebody is impatient
 */
export function listenForStop({ onFirst, onSecond }) {
  let sinceMs = null;
  const onRequest = () => {
    if (sinceMs === null) {
      sinceMs = Date.now();
      onFirst();
    } else if (Date.now() - sinceMs > SECOND_SIGNAL_MS) {
      onSecond?.();
    }
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, onRequest);
  if (process.env.npm_lifecycle_event === undefined) return;
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent && sinceMs === null) onRequest();
  }, PARENT_CHECK_MS).unref();
}
