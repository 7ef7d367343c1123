/** The pages of the side bar, their keys after `g`, and which section a page belongs to. */
import type { PageName } from '../state/routes.ts';
import type { Glyph } from './glyphs.ts';

export interface NavigationItem {
  readonly page: PageName;
  readonly href: string;
  readonly label: string;
  readonly icon: Glyph;
  readonly key: string;
}

export const NAVIGATION: readonly NavigationItem[] = [
  { page: 'overview', href: '/', label: 'Overview', icon: 'overview', key: 'o' },
  { page: 'backends', href: '/backends', label: 'Backends', icon: 'server', key: 'b' },
  { page: 'operations', href: '/operations', label: 'Operations', icon: 'ops', key: 'x' },
  { page: 'balancing', href: '/balancing', label: 'Balancing', icon: 'scale', key: 'l' },
  { page: 'users', href: '/users', label: 'Users', icon: 'user', key: 'u' },
  { page: 'decisions', href: '/decisions', label: 'Decisions', icon: 'list', key: 'd' },
  { page: 'sites', href: '/sites', label: 'Sites', icon: 'globe', key: 's' },
  { page: 'features', href: '/features', label: 'Features', icon: 'flag', key: 'f' },
  { page: 'tasks', href: '/tasks', label: 'Tasks', icon: 'clock', key: 't' },
];

const SECTIONS: Partial<Record<PageName, PageName>> = {
  backend: 'backends',
  operation: 'operations',
  user: 'users',
};

export function sectionOf(page: PageName): PageName {
  return SECTIONS[page] ?? page;
}

/** The five of the phone's tab bar; the rest is under More. */
export const TABS: readonly PageName[] = ['overview', 'operations', 'backends', 'decisions'];
