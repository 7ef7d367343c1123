/** The table of pages and their paths. */
const PATHS = {
  overview: '/',
  backends: '/backends',
  backend: '/backends/:host',
  operations: '/operations',
  operation: '/operations/:id',
  balancing: '/balancing',
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
