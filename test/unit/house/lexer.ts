/** One word of a TypeScript source, with its line. Comments are left out, except that a doc comment keeps its text. */
export interface Token {
  readonly kind: 'name' | 'text' | 'number' | 'mark' | 'pattern';
  /** Of a text: what stands between the quotes. Of a template with holes: the parts, with `${}` between them. */
  readonly value: string;
  readonly line: number;
}

const nameStart = /[\p{ID_Start}$_#]/u;
const namePart = /[\p{ID_Continue}$\u200c\u200d]/u;
/** After these a slash begins a pattern, not a division. */
const beforePattern = new Set(
  'return typeof case do else in of void delete throw new await yield instanceof'.split(' '),
);

/**
 * Cuts a TypeScript source into words: enough to tell an import from the same letters in a text or a comment, which
 * a search with a regular expression cannot.
 */
export function tokensOf(source: string): readonly Token[] {
  return new Lexer(source).all();
}

class Lexer {
  #at = 0;
  #line = 1;
  readonly #tokens: Token[] = [];

  constructor(private readonly source: string) {}

  all(): readonly Token[] {
    while (this.#at < this.source.length) this.#step();
    return this.#tokens;
  }

  #step(): void {
    const char = this.#char();
    const next = this.source[this.#at + 1];
    if (/\s/.test(char)) this.#advance(1);
    else if (char === '/' && next === '/') this.#skipTo('\n');
    else if (char === '/' && next === '*') this.#skipPast('*/');
    else if (char === '#' && next === '!' && this.#at === 0) this.#skipTo('\n');
    else if (char === '"' || char === "'") this.#text(char);
    else if (char === '`') this.#template();
    else if (char === '/' && this.#patternMayBegin()) this.#pattern();
    else if (/[0-9]/.test(char)) this.#run('number', /[0-9a-zA-Z_.]/);
    else if (nameStart.test(char)) this.#run('name', namePart);
    else this.#push('mark', char, 1);
  }

  #char(): string {
    return this.source[this.#at] ?? '';
  }

  #advance(count: number): void {
    for (let step = 0; step < count; step++) if (this.source[this.#at++] === '\n') this.#line++;
  }

  #skipTo(end: string): void {
    const found = this.source.indexOf(end, this.#at);
    this.#advance((found < 0 ? this.source.length : found) - this.#at);
  }

  #skipPast(end: string): void {
    this.#skipTo(end);
    this.#advance(end.length);
  }

  #push(kind: Token['kind'], value: string, length: number): void {
    this.#tokens.push({ kind, value, line: this.#line });
    this.#advance(length);
  }

  #run(kind: Token['kind'], part: RegExp): void {
    let end = this.#at + 1;
    while (end < this.source.length && part.test(this.source[end] ?? '')) end++;
    this.#push(kind, this.source.slice(this.#at, end), end - this.#at);
  }

  #text(quote: string): void {
    let end = this.#at + 1;
    while (end < this.source.length && this.source[end] !== quote) end += this.source[end] === '\\' ? 2 : 1;
    this.#push('text', this.source.slice(this.#at + 1, end), end + 1 - this.#at);
  }

  #template(): void {
    const line = this.#line;
    const place = this.#tokens.length;
    let value = '';
    this.#advance(1);
    while (this.#at < this.source.length && this.#char() !== '`') {
      if (this.#char() === '$' && this.source[this.#at + 1] === '{') {
        this.#advance(2);
        this.#hole();
        value += '${}';
      } else {
        const length = this.#char() === '\\' ? 2 : 1;
        value += this.source.slice(this.#at, this.#at + length);
        this.#advance(length);
      }
    }
    this.#advance(1);
    this.#tokens.splice(place, 0, { kind: 'text', value, line });
  }

  /** The code inside `${}`, whose words count like all others. */
  #hole(): void {
    let depth = 1;
    while (this.#at < this.source.length) {
      if (this.#char() === '{') depth++;
      if (this.#char() === '}' && --depth === 0) break;
      this.#step();
    }
    this.#advance(1);
  }

  #patternMayBegin(): boolean {
    const last = this.#tokens.at(-1);
    if (last === undefined) return true;
    if (last.kind === 'name') return beforePattern.has(last.value);
    if (last.kind === 'mark') return last.value !== ')' && last.value !== ']' && last.value !== '}';
    return false;
  }

  #pattern(): void {
    let end = this.#at + 1;
    let inClass = false;
    while (end < this.source.length && this.source[end] !== '\n') {
      const char = this.source[end];
      if (char === '\\') end++;
      else if (char === '[') inClass = true;
      else if (char === ']') inClass = false;
      else if (char === '/' && !inClass) break;
      end++;
    }
    end++;
    while (/[a-z]/.test(this.source[end] ?? '')) end++;
    this.#push('pattern', this.source.slice(this.#at, end), end - this.#at);
  }
}
