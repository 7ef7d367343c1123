/** What a viewer chose in this browser: theme, time zone, single-key shortcuts. */
import type { Zone } from '../format/time.ts';

export type Theme = 'system' | 'light' | 'dark';

const KEY = 'dovekeeper.preferences';

interface Stored {
  readonly theme: Theme;
  readonly zone: Zone;
  readonly hasShortcuts: boolean;
}

const DEFAULTS: Stored = { theme: 'system', zone: 'utc', hasShortcuts: true };

let stored = $state.raw<Stored>(read());

export const preferences = {
  get theme(): Theme {
    return stored.theme;
  },
  get zone(): Zone {
    return stored.zone;
  },
  get hasShortcuts(): boolean {
    return stored.hasShortcuts;
  },
  set(change: Partial<Stored>): void {
    stored = { ...stored, ...change };
    write(stored);
    applyTheme();
  },
  toggleTheme(): void {
    preferences.set({ theme: isDark() ? 'light' : 'dark' });
  },
};

/** Writes the theme to the root element; `system` leaves it to the browser. */
export function applyTheme(): void {
  const root = document.documentElement;
  if (stored.theme === 'system') delete root.dataset['theme'];
  else root.dataset['theme'] = stored.theme;
}

function isDark(): boolean {
  if (stored.theme !== 'system') return stored.theme === 'dark';
  return matchMedia('(prefers-color-scheme: dark)').matches;
}

function read(): Stored {
  const text = storage()?.getItem(KEY) ?? null;
  if (text === null) return DEFAULTS;
  try {
    return { ...DEFAULTS, ...(JSON.parse(text) as Partial<Stored>) };
  } catch {
    return DEFAULTS;
  }
}

function write(value: Stored): void {
  storage()?.setItem(KEY, JSON.stringify(value));
}

/** Null where the browser forbids storage; choices then last for the page. */
function storage(): Storage | null {
  try {
    return window.localStorage;
  } catch {
    return null;
  }
}
