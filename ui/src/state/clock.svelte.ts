/** The time of day for ages and the clock: one tick a second for the whole page. */
let nowMs = $state(Date.now());

export const clock = {
  get nowMs(): number {
    return nowMs;
  },
  start(): () => void {
    const tick = () => {
      nowMs = Date.now();
    };
    const timer = setInterval(tick, 1000);
    document.addEventListener('visibilitychange', tick);
    return () => {
      clearInterval(timer);
      document.removeEventListener('visibilitychange', tick);
    };
  },
};
