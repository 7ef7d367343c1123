/** The secret at the end of a sign-in link: after `#` or `#token=`; null where there is none. */
export function secretOf(text: string): string | null {
  const found = /#(?:token=)?([\w-]{20,200})$/.exec(text.trim());
  return found?.[1] ?? null;
}

/** A whole link, or its secret alone, as somebody pasted it. */
export function secretFromInput(text: string): string | null {
  return secretOf(text) ?? /^[\w-]{20,200}$/.exec(text.trim())?.[0] ?? null;
}
