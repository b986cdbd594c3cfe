import { Announcer } from './announcer.js';
import { isAmongApprovers } from '../shared/approvals.js';
import { byId, h, setText } from '../shared/dom.js';
import { Composer } from './composer.js';
import { ConnectionView } from '../shared/connection-view.js';
import { ConversationList } from './conversations.js';
import { MeterControl } from './meter-control.js';
import { Panels } from './panels.js';
import { Follower } from './scroll.js';
import { setUpKeyboard } from '../shared/keyboard.js';
import { Thread } from './thread.js';

/** What "Continue" sends: the server keeps the conversation, so the model sees where it was stopped. */
const CONTINUE = 'Continue exactly where you stopped.';

/** What the dialog of keys says. */
const KEYS = [
  ['Enter', 'Send the message'], ['Shift Enter', 'New line'], ['/', 'Search the conversations'], ['j  k', 'Next, previous conversation'],
  ['c', 'Write a message'], ['n', 'New conversation'], ['m', 'Open the meter'], ['s', 'Stop the answer'], ['Esc', 'Close; leave a field'], ['?', 'These keys'],
];

/** The chat page: puts the parts together and takes one run at a time through them. */
export class ChatPage {
  #client = null;
  #run = null;
  #answer = null;
  #conversation = '';
  #opening = 0;
  #lostAt = 0;
  #caller = { roles: [], user: '' }; // as the session says
  #away = 0; // seconds that the last lost connection lasted

  /** @param {{onsignout: (error?: Error) => void}} deps */
  constructor(deps) {
    this.deps = deps;
    this.panels = new Panels();
    this.follower = new Follower(byId('scroller'), byId('jump'));
    this.announcer = new Announcer(byId('announce'));
    this.connection = new ConnectionView(byId('connection'), { onretry: () => this.#client?.retryNow() });
    this.meter = new MeterControl(byId('meter'), byId('meter-open'), { onclose: () => this.panels.close() });
    this.composer = new Composer(byId('composer'), { onsend: (text) => this.send(text), onstop: () => this.stop() });
    this.list = new ConversationList(byId('conversations'), byId('search'), {
      onopen: (id) => this.open(id), ondelete: (id) => this.#delete(id),
    });
    this.thread = new Thread(byId('thread'), {
      ondraw: () => this.follower.keep(), announcer: this.announcer, model: () => this.composer.modelId,
      storyOf: (run) => (run && this.#caller.roles.some((role) => role === 'admin' || role === 'operator') ? `console/?page=run&id=${encodeURIComponent(run)}` : null),
      hasRoom: (key) => this.meter.hasRoom(key), full: () => this.meter.full(), oncontinue: () => this.send(CONTINUE),
      mayDecide: (approval) => this.#mayDecide(approval), isOwn: (approval) => this.#isOwn(approval),
      decide: (...decision) => this.#client.decideApproval(...decision),
    });
    byId('new').addEventListener('click', () => this.fresh());
    byId('side-close').addEventListener('click', () => this.panels.close());
    const help = setUpKeyboard(byId('keys'), KEYS, {
      Escape: () => this.panels.close(),
      '/': () => { this.panels.open('side'); byId('search').focus(); },
      j: () => this.list.move(1), k: () => this.list.move(-1), n: () => this.fresh(), c: () => this.composer.focus(),
      m: () => this.panels.toggle('meter'), s: () => this.stop(),
    });
    byId('help').addEventListener('click', help);
    this.composer.setEnabled(false);
  }

  /** Shows a panel (the key) in place of the thread. */
  block(panel) {
    byId('app').classList.add('is-blocked');
    setText(byId('title'), 'KDCube');
    this.composer.setEnabled(false);
    byId('identity').replaceChildren();
    this.thread.show(panel);
  }

  async start(client) {
    this.#client = client;
    // What comes late for a key that was taken back is not about the one that came after it.
    const own = (act) => (news) => { if (client === this.#client) act(news); };
    byId('app').classList.remove('is-blocked');
    client.on('connection', own((connection) => this.#connected(connection)));
    client.on('session', own((info) => {
      this.#caller = { roles: info.roles ?? [], user: info.user ?? '' };
      this.#identify(info);
    }));
    client.on('resume-refused', own(({ run, error }) => this.#orphaned(run, error)));
    this.meter.start(client.rest, { onpath: (path) => this.#identify(path), onerror: (error) => this.#refused(error) });
    this.composer.setEnabled(true);
    client.connect();
    const wanted = new URLSearchParams(location.hash.slice(1)).get('c');
    try {
      const [models] = await Promise.all([client.rest.models(), this.#loadList()]);
      if (client !== this.#client) return;
      this.composer.setModels(models?.data ?? []);
    } catch (error) {
      if (client !== this.#client || this.#refused(error)) return;
      // The connection's own sign tells that the server is away; ask again when it is back.
    }
    if (wanted) this.open(wanted);
    else if (this.thread.isEmpty) this.fresh(); // whoever was faster than the lists has asked already
  }

  stopClient() {
    this.#leaveRun();
    this.#opening += 1;
    this.meter.stop();
    this.#caller = { roles: [], user: '' };
    this.#client?.close();
    this.#client = null;
  }

  fresh() {
    if (!this.#client) return;
    this.#leaveRun();
    this.#opening += 1;
    this.#setConversation('');
    this.thread.showEmpty(this.composer.modelId, (text) => this.composer.put(text));
    this.composer.setHistory([]);
    this.meter.idle();
    this.panels.close();
    this.composer.focus();
  }

  async open(id) {
    this.panels.close();
    const ticket = ++this.#opening; // a slower answer for an earlier click must not win
    this.#leaveRun();
    this.#setConversation(id);
    const skeleton = setTimeout(() => this.thread.showLoading(), 200);
    try {
      const conversation = await this.#client.rest.conversation(id);
      if (ticket !== this.#opening) return;
      clearTimeout(skeleton);
      this.#showConversation(conversation);
    } catch (error) {
      clearTimeout(skeleton);
      if (ticket !== this.#opening || this.#refused(error)) return;
      if (error.status === 404) return this.fresh();
      this.thread.showProblem('This conversation could not be opened.', error, () => this.open(id));
    }
  }

  async send(text) {
    if (!this.#client || this.#run || this.#answer?.running) return;
    const answer = this.thread.add(text);
    this.#answer = answer;
    this.composer.setRunning(true);
    this.meter.begin();
    this.follower.toEnd();
    const ticket = this.#opening;
    try {
      const run = await this.#client.start({
        text, model: this.composer.modelId, ...(this.#conversation ? { conversation_id: this.#conversation } : {}),
      });
      if (ticket !== this.#opening) return run.detach();
      if (run.conversationId) {
        this.#setConversation(run.conversationId, run.conversationId);
        this.list.touch(run.conversationId, text.split('\n')[0].slice(0, 80));
        setText(byId('title'), this.list.title(run.conversationId) || 'Conversation');
      }
      this.#follow(run, answer);
    } catch (error) {
      if (ticket !== this.#opening) return;
      this.#finish();
      this.meter.refresh();
      this.meter.refused();
      answer.fail(error, () => {
        this.thread.remove(answer);
        this.send(text);
      });
      if (error.status === 401) this.#refused(error);
      else if (error.code === 'offline' && this.composer.isEmpty) this.composer.put(text);
    }
  }

  async stop() {
    const run = this.#run;
    if (!run) return;
    try {
      await run.cancel();
    } catch (error) {
      this.#answer?.remark(`Not stopped: ${error.message}`);
    }
  }

  #follow(run, answer) {
    this.#run = run;
    this.composer.setRunning(true);
    run.on('event', (event) => {
      this.meter.learn(event);
      answer.apply(event);
      this.meter.apply(event, answer);
    });
    run.on('gap', (gap) => answer.gap(gap));
    run.on('resumed', () => answer.resumed(this.#away));
    run.on('end', () => {
      if (this.#run === run) this.#finish();
      this.meter.refresh();
      this.composer.setHistory(this.thread.texts);
      this.#loadList().catch(() => {}); // only the titles' order; the next load will have it
    });
  }

  #finish() {
    this.#run = null;
    this.composer.setRunning(false);
    this.list.select(this.#conversation, '');
  }

  /** The run goes on at the server; this page only stops listening. */
  #leaveRun() {
    this.#run?.detach();
    this.#run = null;
    this.#answer = null;
    this.composer.setRunning(false);
  }

  #showConversation({ id, turns = [] }) {
    this.thread.clear();
    if (turns.length === 0) return this.fresh();
    for (const turn of turns) {
      const answer = this.thread.add(turn.user ?? '');
      this.#answer = answer;
      if (turn.status === 'running' || turn.status === 'streaming' || turn.status === 'waiting') {
        // From the first event: the log then tells the whole story, tools and all, in its order.
        this.meter.begin();
        this.#follow(this.#client.attach({ runId: turn.run_id, conversationId: id, turnId: turn.turn_id }), answer);
      } else answer.load(turn);
    }
    this.composer.setHistory(this.thread.texts);
    this.list.select(id, this.#run ? id : '');
    this.follower.toEnd();
    return undefined;
  }

  /** The server cannot go on with a run for us (restarted, forgotten): what it kept of the conversation is the truth. */
  #orphaned(run, error) {
    if (this.#run !== run) return;
    const answer = this.#answer;
    this.#finish();
    answer?.fail({ ...error, code: error.code, message: `The run could not be taken up again. ${error.message}`, runId: run.id });
  }

  #connected(connection) {
    const up = connection.state === 'live' || connection.state === 'sse';
    if (!up && !this.#lostAt && connection.state === 'waiting') this.#lostAt = Date.now();
    if (up && this.#lostAt) {
      this.#away = (Date.now() - this.#lostAt) / 1000;
      this.#lostAt = 0;
    }
    this.connection.set(connection);
    this.composer.setOnline(up);
    if (!up && this.#run) this.#answer?.lost();
    this.meter.setStale(!up);
    if (up && this.composer.modelId === undefined) this.#reload();
    if (connection.state === 'refused') this.#refused({ ...connection.error, status: 401, message: connection.error?.message });
  }

  /** The first load failed because the server was away. */
  async #reload() {
    try {
      const [models] = await Promise.all([this.#client.rest.models(), this.#loadList()]);
      this.composer.setModels(models?.data ?? []);
      this.meter.refresh();
    } catch {
      // Still away: the next change of the connection tries again.
    }
  }

  async #loadList() {
    const client = this.#client;
    const answer = await client.rest.conversations();
    if (client !== this.#client) return;
    this.list.set(answer?.data ?? []);
    this.list.select(this.#conversation);
    if (this.#conversation) setText(byId('title'), this.list.title(this.#conversation) || 'Conversation');
  }

  async #delete(id) {
    await this.#client.rest.deleteConversation(id);
    if (id === this.#conversation) this.fresh();
  }

  #setConversation(id, running = '') {
    this.#conversation = id;
    history.replaceState(null, '', id ? `#c=${encodeURIComponent(id)}` : location.pathname + location.search);
    setText(byId('title'), id ? this.list.title(id) || 'Conversation' : 'New conversation');
    this.list.select(id, running);
  }

  #identify(info) {
    const place = [info.org ?? info.tenant, info.project].filter(Boolean).join('/');
    const who = info.username ?? info.user ?? info.user_id ?? '';
    if (!place && !who) return;
    byId('identity').replaceChildren(
      h('span.who', null, h('strong', null, who || 'Key without a user'), h('span', null, place)),
      h('button.quiet', { type: 'button', onclick: () => this.deps.onsignout() }, 'Change key'));
  }

  /** Whoever asked cannot agree, and here that is whom the conversation belongs to. */
  #isOwn({ user = this.#caller.user }) { return this.#caller.user !== '' && user === this.#caller.user; }

  /** The server has the last word; this only spares buttons that it would refuse. */
  #mayDecide(approval) {
    return approval.may_decide ?? (!this.#isOwn(approval) && isAmongApprovers(approval.from, this.#caller));
  }

  #refused(error) {
    if (error?.status !== 401) return false;
    this.deps.onsignout(error);
    return true;
  }
}
