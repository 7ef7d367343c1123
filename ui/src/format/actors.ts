/** Who did something, as the audit names it, in words: roles, not names. */
export function actorText(actor: string | null): string {
  if (actor === null || actor === '') return 'somebody';
  const [kind, name] = splitOnce(actor);
  switch (kind) {
    case 'session':
      return name;
    case 'token':
      return `token “${name}”`;
    default:
      return actor;
  }
}

function splitOnce(actor: string): readonly [kind: string, name: string] {
  const at = actor.indexOf(':');
  return at === -1 ? ['', actor] : [actor.slice(0, at), actor.slice(at + 1)];
}
