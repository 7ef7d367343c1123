export interface Progress {
  begin(name: string): void;
  end(name: string, seconds: number, said: string): void;
  line(text: string): void;
  close(): void;
}

export function createProgress(stream: NodeJS.WriteStream): Progress;
export function plainProgress(print: (line: string) => void): Progress;
