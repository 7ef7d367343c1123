/** A list that is read page by page on demand. */
export interface PagedList<T> {
  readonly rows: readonly T[];
  readonly isLoading: boolean;
  readonly error: Error | null;
  /** Null: never read, or all read. */
  readonly hasMore: boolean;
  readonly isRead: boolean;
  /** Reads the first page again, and forgets the rest. */
  restart(): Promise<void>;
  more(): Promise<void>;
}

export function pagedList<T>(
  load: (cursor: string | undefined) => Promise<{ rows: readonly T[]; cursor: string | null }>,
): PagedList<T> {
  let rows = $state.raw<readonly T[]>([]);
  let cursor = $state<string | null>(null);
  let isLoading = $state(false);
  let isRead = $state(false);
  let error = $state.raw<Error | null>(null);
  let turn = 0;

  async function read(from: string | undefined, before: readonly T[]): Promise<void> {
    turn += 1;
    const mine = turn;
    isLoading = true;
    try {
      const page = await load(from);
      if (mine !== turn) return;
      rows = [...before, ...page.rows];
      cursor = page.cursor;
      isRead = true;
      error = null;
    } catch (cause) {
      if (mine === turn) error = cause instanceof Error ? cause : new Error(String(cause));
    } finally {
      if (mine === turn) isLoading = false;
    }
  }

  return {
    get rows() {
      return rows;
    },
    get isLoading() {
      return isLoading;
    },
    get isRead() {
      return isRead;
    },
    get error() {
      return error;
    },
    get hasMore() {
      return cursor !== null;
    },
    restart: () => read(undefined, []),
    more: () => read(cursor ?? undefined, rows),
  };
}
