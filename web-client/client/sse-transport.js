import { Backoff } from './backoff.js';
import { errorFrom } from './errors.js';
import { Run } from './run.js';
import { SSEParser } from './sse-parser.js';
import { gapEnd } from './socket-transport.js';

/** The server sends a comment every 15 s; three missed ones mean that the connection is dead. */
const SILENCE_MS = 45000;
/** How often to look whether the server is there while no run streams. */
const PROBE_MS = 20000;
/** Reconnects of one run without any event before it is given up. */
const MAX_FRUITLESS = 12;

/** Runs over `fetch` and server-sent events: for networks that let no WebSocket and no long polling through. */
export class SSETransport {
  name = 'sse';
  #streams = new Map(); // run → AbortController of its stream; whoever follows a run holds the one that is here
  #wakeups = new Set(); // functions that end a waiting retry at once
  #probe = 0;
  #closed = false;

  /** @param {{rest: import('./rest.js').RestClient, report: (change: object) => void}} options */
  constructor({ rest, report }) {
    this.rest = rest;
    this.report = report;
  }

  connect() {
    this.#closed = false;
    this.#look();
  }

  retryNow() {
    for (const wake of [...this.#wakeups]) wake();
    this.#look();
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#probe);
    for (const controller of this.#streams.values()) controller.abort();
    this.#streams.clear();
    for (const wake of [...this.#wakeups]) wake();
  }

  async start(message) {
    const controller = new AbortController();
    const response = await this.rest.open('POST', '/v1/runs', {
      body: message, headers: { accept: 'text/event-stream' }, signal: controller.signal,
    });
    // The answer is the stream itself, so the run's id is learned from its first event.
    const events = readEvents(response, controller);
    const first = await firstEnvelope(events);
    const run = new Run(this, {
      runId: first.run_id, conversationId: first.conversation?.conversation_id, turnId: first.conversation?.turn_id,
    });
    this.#streams.set(run, controller);
    this.report({ state: 'sse' });
    setTimeout(() => {
      take(run, first);
      this.#follow(run, events, controller);
    });
    return run;
  }

  attach({ runId, after = 0, conversationId, turnId }) {
    return this.adopt(new Run(this, { runId, after, conversationId, turnId }));
  }

  adopt(run) {
    this.#streams.get(run)?.abort();
    const controller = new AbortController();
    this.#streams.set(run, controller);
    setTimeout(() => this.#follow(run, null, controller));
    return run;
  }

  unfinished() { return [...this.#streams.keys()]; }

  /** A hole in a stream that lives: read again from the last event. */
  async resume(run) {
    this.#streams.get(run)?.abort();
  }

  cancel(run) { return this.rest.cancel(run.id); }
  decideApproval(id, decision, reason) { return this.rest.decideApproval(id, decision, reason); }

  /** Each request carries its token, so it is enough that the new one is good. */
  async refreshAuth(token) {
    await this.rest.with(token).quota();
    return { ok: true };
  }

  drop(run) {
    const controller = this.#streams.get(run);
    this.#streams.delete(run);
    // After a terminal event the server ends the stream itself; aborting then would only look like a failure.
    if (!run.ended) controller?.abort();
  }

  /** Reads the run's events until its end, across lost connections. */
  async #follow(run, events, controller) {
    const backoff = new Backoff();
    const isOurs = () => !this.#closed && this.#streams.get(run) === controller;
    let fruitless = 0;
    while (isOurs()) {
      const before = run.lastSeq;
      try {
        if (!events) {
          if (controller.signal.aborted) {
            controller = new AbortController();
            this.#streams.set(run, controller);
          }
          events = await this.#reopen(run, controller);
          this.report({ state: 'sse' });
        }
        for await (const event of events) take(run, event);
      } catch (error) {
        if (error?.status >= 400 && error.status < 500 && error.status !== 429) {
          this.report({ resumeRefused: { run, error } });
          return;
        }
      }
      events = null;
      if (run.ended || !isOurs()) return;
      fruitless = run.lastSeq > before ? 0 : fruitless + 1;
      if (fruitless === 0) backoff.reset();
      if (fruitless > MAX_FRUITLESS) {
        const error = errorFrom({ code: 'offline', message: 'The server cannot be reached.' }, { runId: run.id });
        return this.report({ resumeRefused: { run, error } });
      }
      run.markResume();
      await this.#pause(backoff.next());
    }
  }

  async #reopen(run, controller) {
    const path = `/v1/runs/${encodeURIComponent(run.id)}/events`;
    const headers = { accept: 'text/event-stream' };
    if (run.lastSeq > 0) headers['last-event-id'] = `${run.id}:${run.lastSeq}`;
    return readEvents(await this.rest.open('GET', path, { headers, signal: controller.signal }), controller);
  }

  #pause(ms) {
    this.report({ state: 'waiting', retryAt: Date.now() + ms });
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#wakeups.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, ms);
      this.#wakeups.add(wake);
    });
  }

  /** Without a stream there is no connection to watch: ask now and then whether the server is there. */
  async #look() {
    clearTimeout(this.#probe);
    const alive = await this.rest.alive();
    if (this.#closed) return;
    const busy = this.#wakeups.size > 0;
    const wait = alive ? PROBE_MS : 4000;
    if (!busy) this.report(alive ? { state: 'sse' } : { state: 'waiting', retryAt: Date.now() + wait });
    this.#probe = setTimeout(() => this.#look(), wait);
  }
}

function take(run, event) {
  if (event.gap) run.receiveGap(event.gap);
  else run.receive(event);
}

async function firstEnvelope(events) {
  const { value, done } = await events.next();
  if (done || !value?.run_id) throw errorFrom({ code: 'no_answer', message: 'The server ended the stream before it began.' });
  return value;
}

/** The envelopes of a response; a gap comes as `{gap: last missing seq}`. Ends when the stream ends or goes silent. */
async function* readEvents(response, controller) {
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  const parser = new SSEParser();
  for (;;) {
    const silence = setTimeout(() => controller.abort(), SILENCE_MS);
    let chunk;
    try {
      chunk = await reader.read();
    } finally {
      clearTimeout(silence);
    }
    if (chunk.done) return;
    for (const { event, data } of parser.push(decoder.decode(chunk.value, { stream: true }))) {
      const body = JSON.parse(data);
      if (event === 'gap') yield { gap: gapEnd(body), run_id: body.run_id };
      else if (body.run_id) yield body;
    }
  }
}
