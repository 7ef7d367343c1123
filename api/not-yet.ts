export const notYet = (() => {
  throw new Error('not yet');
}) as never;
