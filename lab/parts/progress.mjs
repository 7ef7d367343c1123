/** What the terminal shows while a lab starts: one line a part; below them, what still runs. */

const SPINNER = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const REDRAW_MS = 120;
const NAME_WIDTH = 22;

/**
 * @typedef {object} Progress
 * @property {(name: string) => void} begin
 * @property {(name: string, seconds: number, said: string) => void} end
 * @property {(text: string) => void} line
 * @property {() => void} close
 */

/**
 * @param {NodeJS.WriteStream} stream
 * @returns {Progress} plain lines where the stream is no terminal
 */
export function createProgress(stream) {
  return stream.isTTY === true
    ? new LiveProgress(stream)
    : plainProgress((text) => {
        stream.write(`${text}\n`);
      });
}

/** @param {(line: string) => void} print @returns {Progress} */
export function plainProgress(print) {
  return {
    begin: () => {},
    end: (name, seconds, said) => print(formatEnd(name, seconds, said)),
    line: print,
    close: () => {},
  };
}

function formatEnd(name, seconds, said) {
  const state = said === '' ? 'ready' : said;
  return `  ${name.padEnd(NAME_WIDTH)} ${`${seconds.toFixed(1)} s`.padStart(7)}  ${state}`;
}

class LiveProgress {
  #stream;
  #running = new Map();
  #drawn = 0;
  #frame = 0;
  #timer;

  constructor(stream) {
    this.#stream = stream;
    this.#timer = setInterval(() => this.#redraw(), REDRAW_MS);
    this.#timer.unref();
  }

  begin(name) {
    this.#running.set(name, Date.now());
    this.#redraw();
  }

  end(name, seconds, said) {
    this.#running.delete(name);
    this.line(formatEnd(name, seconds, said));
  }

  line(text) {
    this.#erase();
    this.#stream.write(`${text}\n`);
    this.#redraw();
  }

  close() {
    clearInterval(this.#timer);
    this.#running.clear();
    this.#erase();
  }

  #erase() {
    if (this.#drawn > 0) this.#stream.write(`\x1b[${this.#drawn}A\x1b[J`);
    this.#drawn = 0;
  }

  #redraw() {
    this.#erase();
    this.#frame = (this.#frame + 1) % SPINNER.length;
    const most = Math.max(0, (this.#stream.rows ?? 24) - 3);
    const lines = [...this.#running].slice(0, most).map(([name, since]) => {
      const seconds = `${((Date.now() - since) / 1000).toFixed(1)} s`.padStart(7);
      return `${SPINNER[this.#frame]} ${name.padEnd(NAME_WIDTH)} ${seconds}`;
    });
    if (lines.length > 0) this.#stream.write(`${lines.join('\n')}\n`);
    this.#drawn = lines.length;
  }
}
