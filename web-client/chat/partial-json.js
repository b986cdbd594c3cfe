/**
 * Reads one string member of a JSON object while the object is still being written: the `code` of a call of `run_code`,
 * so that it is seen as the model writes it. Pure. It checks nothing: the whole arguments come with a later event.
 */
export class PartialString {
  #depth = 0;
  #role = ''; // of the string that is being read: key · wanted · other; '' outside of strings
  #key = '';
  #isKeyNext = false;
  #escape = ''; // what an unfinished escape sequence has so far, with its backslash
  #isOver = false;
  text = '';

  /** @param {string} name of a member of the outermost object. */
  constructor(name) {
    this.name = name;
  }

  /** Whether the member has been read to its end. */
  get isWhole() { return this.#isOver && this.#depth > 0; }

  /** @param {string} fragment the next piece of the JSON text. @returns {string} what it adds to the member. */
  push(fragment) {
    const before = this.text.length;
    for (let at = 0; at < fragment.length && !this.#isOver; at += 1) {
      // Most of the text is plain: take it in one piece.
      if (this.#role === 'wanted' && this.#escape === '') {
        const end = special(fragment, at);
        this.text += fragment.slice(at, end);
        at = end;
        if (at === fragment.length) break;
      }
      if (this.#role) this.#inString(fragment[at]);
      else this.#outside(fragment[at]);
    }
    return this.text.slice(before);
  }

  #outside(sign) {
    if (sign === '"') {
      this.#role = 'other';
      if (this.#depth === 1 && this.#isKeyNext) [this.#role, this.#key] = ['key', ''];
      else if (this.#depth === 1 && this.#key === this.name) this.#role = 'wanted';
    } else if (sign === '{' || sign === '[') {
      this.#depth += 1;
      if (this.#depth === 1) this.#isKeyNext = true;
      if (this.#depth === 1 && sign === '[') this.#isOver = true; // no object
    } else if (sign === '}' || sign === ']') {
      this.#depth -= 1;
      if (this.#depth <= 0) this.#isOver = true;
    } else if (this.#depth === 1 && sign === ':') this.#isKeyNext = false;
    else if (this.#depth === 1 && sign === ',') this.#isKeyNext = true;
    else if (this.#depth === 0 && sign.trim() !== '') this.#isOver = true;
  }

  #inString(sign) {
    if (this.#escape !== '') {
      this.#escape += sign;
      const decoded = unescape(this.#escape);
      if (decoded === null) return;
      this.#escape = '';
      this.#take(decoded);
    } else if (sign === '\\') this.#escape = sign;
    else if (sign === '"') {
      if (this.#role === 'wanted') this.#isOver = true;
      this.#role = '';
    } else this.#take(sign);
  }

  #take(text) {
    if (this.#role === 'wanted') this.text += text;
    else if (this.#role === 'key') this.#key += text;
  }
}

function special(text, from) {
  for (let at = from; at < text.length; at += 1) if (text[at] === '"' || text[at] === '\\') return at;
  return text.length;
}

const SHORT = { n: '\n', t: '\t', r: '\r', b: '\b', f: '\f' };

/** @returns {string|null} null while the sequence lacks its end. */
function unescape(sequence) {
  if (sequence[1] !== 'u') return SHORT[sequence[1]] ?? sequence[1];
  if (sequence.length < 6) return null;
  const code = Number.parseInt(sequence.slice(2), 16);
  return Number.isNaN(code) ? '\ufffd' : String.fromCharCode(code);
}
