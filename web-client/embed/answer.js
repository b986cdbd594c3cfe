import { blocks, inline, settled } from './markdown.js';
import { approvalWords, cutWords, errorWords, span } from './words.js';

export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** Model text becomes text nodes; no string is ever read as markup. */
const spans = (text) => inline(text).map((part) => {
  if (part.type === 'text') return part.text;
  if (part.type === 'a') return h('a', { href: part.href, target: '_blank', rel: 'noopener noreferrer nofollow' }, part.text);
  return h(part.type, {}, ...(part.type === 'code' ? [part.text] : spans(part.text)));
});

function draw(block) {
  if (block.items) {
    const list = h(block.type, {}, ...block.items.map((item) => h('li', {}, ...spans(item))));
    if (block.type === 'ol') list.start = block.first;
    return list;
  }
  if (block.type !== 'code') return h('p', block.type === 'strong' ? { className: 'head' } : {}, ...spans(block.text));
  const copy = h('button', { type: 'button', onclick: () => copyText(copy, block.text) }, 'Copy');
  return h('div', { className: 'code' }, h('pre', { tabIndex: 0, 'aria-label': `Code ${block.lang}` }, h('code', {}, block.text)), copy);
}

const copyText = (button, text) => Promise.resolve(navigator.clipboard?.writeText(text) ?? Promise.reject())
  .then(() => { button.textContent = 'Copied'; }, () => { button.textContent = 'Not allowed'; });

/** One answer: its text, a line for each call and approval, and how it ended. */
export class Answer {
  #text = ''; // what may still change: the last block
  #last = []; // its elements
  #calls = new Map(); // call or approval → its line
  #frame = 0;
  #unsaid = '';

  /** @param {(text: string) => void} say tells a screen reader. @param {(change: () => void) => void} follow keeps the end in sight. */
  constructor(say, follow) {
    this.say = say;
    this.follow = follow;
    this.body = h('div');
    this.busy = h('div', { className: 'busy' }, 'Waiting for the server');
    this.element = h('article', { 'aria-label': 'Answer', tabIndex: -1 }, this.body, this.busy);
  }

  take(event) {
    const { type } = event;
    if (type === 'chat.start') this.#wait('Waiting for the model');
    else if (type === 'chat.delta' && (event.delta.marker ?? 'answer') === 'answer') this.#write(event.delta.text);
    else if (type === 'chat.step' && event.data?.call_id) this.#step(event);
    else if (type === 'chat.approval') this.#approval(event.approval);
    else if (type === 'gap') this.note('error', '!', 'A part is missing here: the connection was away for too long.');
    else if (type === 'lost') this.#wait(`Connection lost. Trying again in ${span(event.wait)}`);
    else if (type === 'back') this.#wait('Resumed');
    else if (type === 'chat.cut') this.end('cut', '✂', cutWords(event.cut, Date.now()));
    else if (type === 'chat.error') this.fail(event.error);
    else if (type === 'chat.complete') {
      const { finish_reason: reason } = event.data ?? {};
      if (reason === 'cancelled') this.end('', '■', 'Stopped by you.');
      else if (reason === 'length') this.end('', '✂', 'The model’s own length limit ends the answer here.');
      else this.end();
    }
  }

  fail(error) { this.end('error', '!', errorWords(error)); }

  end(kind, sign, words) {
    this.#flush();
    if (this.#unsaid.trim()) this.say(this.#unsaid);
    this.#unsaid = '';
    this.busy.remove();
    if (words) this.note(kind, sign, words);
  }

  note(kind, sign, words, key = null) {
    this.#flush();
    const known = key && this.#calls.get(key);
    const line = known ?? h('p', { className: `note ${kind}`, 'data-sign': sign });
    line.setAttribute('data-sign', sign);
    if (line.textContent === words) return;
    line.textContent = words;
    if (!known) {
      this.#text = '';
      this.#last = [];
      this.follow(() => this.body.append(line));
    }
    if (key) this.#calls.set(key, line);
    this.say(words);
  }

  #wait(words) {
    if (this.busy.textContent !== words) this.busy.textContent = words;
  }

  #step({ event: { status }, data: { call_id: id, tool, parent_call_id: parent, decision } }) {
    if (parent || !tool) return;
    const ends = {
      completed: ['✓', 'is done'], error: ['!', decision === 'deny' ? 'was not allowed' : 'failed'], skipped: ['–', 'was not made'],
    };
    const [sign, words] = ends[status] ?? ['…', 'is called'];
    this.note('', sign, `${tool} ${words}.`, id);
    this.#wait(ends[status] ? 'Waiting for the model' : `Waiting for ${tool}`);
  }

  #approval(approval) {
    const pending = (approval.state ?? 'pending') === 'pending';
    this.note('', pending ? '…' : approval.state === 'approved' ? '✓' : '!', approvalWords(approval), `approval ${approval.id}`);
    this.#wait(pending ? 'Waiting for a person' : 'Waiting for the model');
  }

  #write(text) {
    this.#text += text;
    this.#unsaid += text;
    this.#wait('Writing');
    // By sentence: a screen reader that is told each token says nothing.
    const sentences = /^[\s\S]{40,}[.!?…]\s/.exec(this.#unsaid);
    if (sentences) {
      this.say(sentences[0]);
      this.#unsaid = this.#unsaid.slice(sentences[0].length);
    }
    this.#frame ||= setTimeout(() => this.#flush(), 30);
  }

  /** Finished blocks are never touched again, so that a selection in them survives. */
  #flush() {
    clearTimeout(this.#frame);
    this.#frame = 0;
    const fresh = blocks(this.#text);
    if (fresh.length === 0) return;
    const count = settled(this.#text);
    this.follow(() => {
      for (const old of this.#last) old.remove();
      const drawn = fresh.map(draw);
      this.body.append(...drawn);
      this.#last = drawn.slice(count);
    });
    this.#text = this.#text.slice(fresh[count].start);
  }
}
