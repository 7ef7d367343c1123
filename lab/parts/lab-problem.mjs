/**
 * Something that the person at the terminal has to know or to do, said in one sentence.
 * Whoever starts the lab prints the message without a stack and ends with exit code 1.
 */
export class LabProblem extends Error {
  /**
   * @param {string} message one sentence that says what is wrong and what to do about it
   * @param {{ cause?: unknown, tail?: string }} [options] tail: the last lines of a log
   */
  constructor(message, options = {}) {
    super(message, { cause: options.cause });
    this.name = 'LabProblem';
    this.tail = options.tail ?? '';
  }
}
