import { h, icon, setIcon, setText } from './dom.js';
import { connectionPhrase } from './connection.js';
import { formatClock, formatInstant } from './time.js';

const LOOK = {
  live: ['live', 'done'], sse: ['sse', 'done'], poll: ['live', 'done'], connecting: ['retry', 'waiting'], waiting: ['retry', 'warning'],
  refused: ['key', 'muted'], idle: ['offline', 'muted'],
};

/** The connection's state, always visible: a sign, a word and, while it is down, a way to hurry. */
export class ConnectionView {
  #connection = { state: 'idle', since: Date.now() };
  #everUp = false;

  constructor(box, { onretry }) {
    this.sign = icon('offline');
    this.word = h('span.num');
    // The seconds that count down are for the eye; spoken is only the change of state.
    this.spoken = h('span.hidden');
    this.word.setAttribute('aria-hidden', 'true');
    this.retry = h('button.quiet.now', { type: 'button', onclick: onretry, hidden: true }, 'Try now');
    this.box = box;
    box.append(this.sign, this.word, this.spoken, this.retry);
    setInterval(() => this.#draw(), 500);
    this.#draw();
  }

  set(connection) {
    this.#connection = connection;
    this.#everUp ||= ['live', 'sse', 'poll'].includes(connection.state);
    this.#draw();
  }

  #draw() {
    const now = Date.now();
    const connection = { ...this.#connection, stale: this.#everUp };
    const long = connection.state === 'waiting' && now - connection.since >= 20000;
    const [name, tone] = long ? ['offline', 'cut'] : LOOK[connection.state] ?? LOOK.idle;
    setIcon(this.sign, name);
    this.box.dataset.tone = tone;
    this.box.dataset.state = connection.state;
    setText(this.word, connectionPhrase(connection, now, formatClock));
    setText(this.spoken, connectionPhrase({ ...connection, state: connection.state === 'waiting' ? 'connecting' : connection.state }, now, formatClock));
    this.box.title = `Since ${formatInstant(connection.since)}`;
    this.retry.hidden = connection.state !== 'waiting';
  }
}
