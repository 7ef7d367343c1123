/** Short messages at the edge of the page: done with Undo, would have done, failed. */
export type ToastKind = 'ok' | 'dry' | 'crit';

export interface ToastAction {
  readonly label: string;
  readonly run: () => void;
}

export interface Toast {
  readonly id: number;
  readonly kind: ToastKind;
  readonly title: string;
  readonly text: string;
  /** Of a failed request; null where there is none. */
  readonly requestId: string | null;
  readonly action: ToastAction | null;
}

/** How long a good message stays, in milliseconds; a failure stays until it is closed. */
export const TOAST_MS = 8000;

let shown = $state.raw<readonly Toast[]>([]);
let lastId = 0;

export const toasts = {
  get shown(): readonly Toast[] {
    return shown;
  },
  add(toast: Partial<Toast> & { readonly kind: ToastKind; readonly title: string }): void {
    lastId += 1;
    const full: Toast = { text: '', requestId: null, action: null, ...toast, id: lastId };
    shown = [...shown.slice(-2), full];
  },
  remove(id: number): void {
    shown = shown.filter((toast) => toast.id !== id);
  },
};
