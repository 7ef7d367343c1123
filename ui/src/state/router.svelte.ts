/** A small router on the history API: one table of paths, the query as filters. */
import { matchRoute, type Route } from './routes.ts';

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
  if (event.defaultPrevented || event.button !== 0 || hasModifier(event)) return;
  const link = event.target instanceof Element ? event.target.closest('a') : null;
  if (link === null || !isPageLink(link)) return;
  event.preventDefault();
  router.go(link.pathname + link.search);
}

function hasModifier(event: MouseEvent): boolean {
  return event.metaKey || event.ctrlKey || event.shiftKey || event.altKey;
}

function isPageLink(link: HTMLAnchorElement): boolean {
  const isOurs = link.origin === location.origin && !link.pathname.startsWith('/api/');
  const isAnchor = link.getAttribute('href')?.startsWith('#') === true;
  return isOurs && !isAnchor && link.target === '' && !link.hasAttribute('download');
}
