/** Single keys: / search, g and a letter to go, j k along rows, Shift+P pause, ? the list. Off inside fields. */
export interface ShortcutTargets {
  readonly isOn: () => boolean;
  readonly search: () => void;
  readonly keys: () => void;
  readonly pause: () => void;
  /** True where a page has that key. */
  readonly go: (key: string) => boolean;
}

/** The second key of a pair must follow within so many milliseconds. */
const PAIR_MS = 1500;

export function createShortcuts(targets: ShortcutTargets): (event: KeyboardEvent) => void {
  let wentAtMs: number | null = null;
  return (event) => {
    if (!targets.isOn() || event.metaKey || event.ctrlKey || event.altKey) return;
    if (isField(event.target)) return;
    const isSecond = wentAtMs !== null && event.timeStamp - wentAtMs < PAIR_MS;
    wentAtMs = null;
    if (isSecond && targets.go(event.key)) return;
    const act = actionOf(event.key, targets);
    if (event.key === 'g') wentAtMs = event.timeStamp;
    if (act === null) return;
    event.preventDefault();
    act();
  };
}

function actionOf(key: string, targets: ShortcutTargets): (() => void) | null {
  switch (key) {
    case '/':
      return targets.search;
    case '?':
      return targets.keys;
    case 'P':
      return targets.pause;
    case 'j':
      return () => moveFocus(1);
    case 'k':
      return () => moveFocus(-1);
    default:
      return null;
  }
}

function isField(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
}

/** Rows carry data-row on the element that Enter opens. */
function moveFocus(step: 1 | -1): void {
  const rows = [...document.querySelectorAll<HTMLElement>('main [data-row]')];
  const at = rows.findIndex((row) => row === document.activeElement);
  const next = at === -1 ? (step === 1 ? 0 : rows.length - 1) : at + step;
  rows[Math.min(rows.length - 1, Math.max(0, next))]?.focus();
}
