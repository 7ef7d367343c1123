/** A small router on the history API: one table of paths, the query as filters. */

export const PATHS = {
  overview: '/',
  backends: '/backends',
  backend: '/backends/:host',
  operations: '/operations',
  operation: '/operations/:id',
  users: '/users',
  user: '/users/:name',
  decisions: '/decisions',
  sites: '/sites',
  features: '/features',
  tasks: '/tasks',
  more: '/more',
} as const;
export type PageName = keyof typeof PATHS | 'notFound';

export interface Route {
  readonly page: PageName;
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
}

/** Finds the page of a path; `notFound` where no pattern fits. */
export function matchRoute(pathname: string, search = ''): Route {
  const parts = pathname.split('/').filter((part) => part !== '');
  const query = new URLSearchParams(search);
  for (const [page, pattern] of Object.entries(PATHS)) {
    const params = matchPattern(pattern, parts);
    if (params !== null) return { page: page as PageName, params, query };
  }
  return { page: 'notFound', params: {}, query };
}

function matchPattern(pattern: string, parts: readonly string[]): Record<string, string> | null {
  const wanted = pattern.split('/').filter((part) => part !== '');
  if (wanted.length !== parts.length) return null;
  const params: Record<string, string> = {};
  for (const [index, name] of wanted.entries()) {
    const part = parts[index] ?? '';
    if (name.startsWith(':')) params[name.slice(1)] = decode(part);
    else if (name !== part) return null;
  }
  return params;
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

let current = $state.raw<Route>(matchRoute('/'));

export const router = {
  get route(): Route {
    return current;
  },
  /** Shows another page; `replace` for filters, which are no steps of their own. */
  go(href: string, options: { readonly replace?: boolean } = {}): void {
    if (options.replace === true) history.replaceState(null, '', href);
    else history.pushState(null, '', href);
    read();
    if (options.replace !== true) window.scrollTo(0, 0);
  },
  /** Begins to follow the address bar and links; returns the end of it. */
  start(): () => void {
    read();
    window.addEventListener('popstate', read);
    document.addEventListener('click', followLink);
    return () => {
      window.removeEventListener('popstate', read);
      document.removeEventListener('click', followLink);
    };
  },
};

function read(): void {
  current = matchRoute(location.pathname, location.search);
}

function followLink(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0) return;
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = event.target instanceof Element ? event.target.closest('a') : null;
  if (link === null || link.target !== '' || link.origin !== location.origin) return;
  if (link.hasAttribute('download') || link.getAttribute('href')?.startsWith('#') === true) return;
  if (link.pathname.startsWith('/api/')) return;
  event.preventDefault();
  router.go(link.pathname + link.search);
}
