/** Types of kdcube.js. The shapes of events are those of docs/protocol.md. */

export type Transport = 'auto' | 'socket' | 'sse';

export interface KDCubeOptions {
  /** Of the server; in a browser, without it, the page's own origin. */
  url?: string;
  /** A `kd-…` key or a JWT. */
  token: string;
  /** Repeats what the token says; another one is refused. */
  tenant?: string;
  project?: string;
  transport?: Transport;
  /** The official Socket.IO client; without it `globalThis.io`, and without that server-sent events. */
  io?: Function;
  fetch?: typeof fetch;
}

export interface SendOptions {
  model?: string;
  /** Goes on with a conversation; without it a new one begins. */
  conversationId?: string;
  turnId?: string;
  maxTokens?: number;
  temperature?: number;
  system?: string;
  /** Tools that this program runs itself. */
  tools?: object[];
  /** Which of the server's own tools the model may call. */
  serverTools?: boolean | string[];
  onDeny?: 'feed_back' | 'stop_turn' | 'cut_stream';
  knowledge?: string | { text: string; title?: string }[];
  /** What becomes of the run when nobody reads it any more. */
  onDisconnect?: 'stop' | 'drain';
  lowerMaxTokens?: boolean;
  /** Cancels the run. */
  signal?: AbortSignal;
}

export interface Scope { kind: string; id: string }

export interface BudgetWindow {
  scope: Scope | string;
  model?: string;
  unit: string;
  window: string;
  zone?: string;
  limit: string;
  used: string;
  held: string;
  suspense?: string;
  resets_at?: number | string | null;
}

export interface Cut {
  reason: 'budget_exceeded' | 'rate_limited' | 'accounting_unavailable' | 'killed' | 'policy_denied';
  scope?: Scope | string;
  model?: string;
  unit?: string;
  window?: string;
  limit?: string;
  used?: string;
  resets_at?: number | string | null;
  decision_id?: string;
}

export interface Approval {
  id: string;
  tool: string;
  args: unknown;
  from: string | string[] | string[][];
  quorum: number;
  agreed?: number;
  expires_at: number | string;
  state: 'pending' | 'approved' | 'denied' | 'expired' | 'cancelled' | 'superseded';
  [more: string]: unknown;
}

interface EnvelopeBase {
  run_id: string;
  seq: number;
  first_seq?: number;
  ts?: number;
  conversation?: { conversation_id: string; turn_id: string };
}
interface Spent { usage?: Usage; cost_usd?: string }
export interface Usage { input_tokens: number; output_tokens: number }

export type RunEvent = EnvelopeBase & (
  | { type: 'chat.start'; data: { model: string; message?: unknown } }
  | { type: 'chat.delta'; delta: { text: string; index?: number; marker?: 'answer' | 'thinking' | 'tool' } }
  | { type: 'chat.step'; event: { step: string; status: string; title?: string }; data?: Record<string, unknown> }
  | ({ type: 'chat.usage'; windows?: BudgetWindow[]; warning?: number } & Spent)
  | { type: 'chat.approval'; approval: Approval }
  | ({ type: 'chat.complete'; data: { final_answer: string; finish_reason: string } } & Spent)
  | ({ type: 'chat.cut'; cut: Cut } & Spent)
  | ({ type: 'chat.error'; error: { code: string; message: string } } & Spent)
  | { type: 'gap'; first_seq: number }
);

export interface Outcome {
  state: 'complete' | 'cut' | 'error' | 'lost';
  runId: string;
  conversationId: string;
  /** The answer as far as it came. */
  text: string;
  finishReason: string;
  usage: Usage | null;
  /** A decimal string, exact; '' when it is not known. */
  costUSD: string;
  cut: Cut | null;
  error: KDCubeError | null;
}

export interface ConnectionState {
  state: 'connecting' | 'live' | 'waiting' | 'refused' | 'closed';
  transport: 'socket' | 'sse' | '';
  /** Milliseconds: since when there is, or is no, connection. */
  since: number;
  /** Milliseconds: when it is tried again. */
  retryAt: number;
  error?: KDCubeError;
}

export class KDCubeError extends Error {
  constructor(message: string, facts?: Partial<Pick<KDCubeError, 'code' | 'status' | 'requestId' | 'runId' | 'retryAfter' | 'rule' | 'details'>>);
  /** As in docs/protocol.md; of this client: `offline`, `no_answer`, `no_token`, `no_url`, `no_socket_client`, `closed`, `detached`. */
  code: string;
  /** Of HTTP; 0 where there was none. */
  status: number;
  /** To quote when you ask for help. */
  requestId: string;
  runId: string;
  /** Seconds; 0 when the server did not say. */
  retryAfter: number;
  /** The rule of a policy. */
  rule: string;
  details: Record<string, unknown>;
  /** The whole answer that the error stood in, where there was one. */
  body: Record<string, unknown> | null;
}

export interface RunEvents {
  event: RunEvent;
  gap: { first_seq: number; seq: number };
  resumed: { after: number };
  end: Outcome;
}

export class Run implements AsyncIterable<RunEvent> {
  private constructor();
  readonly id: string;
  readonly conversationId: string;
  readonly turnId: string;
  /** The last event that was received; with the id, what `KDCube.resume` needs after a reload. */
  readonly lastSeq: number;
  readonly state: 'running' | Outcome['state'];
  /** Settles when the run has ended, however it did; it never rejects. */
  readonly done: Promise<Outcome>;
  /** The whole answer, up to a cut. Rejects with a `KDCubeError` when the run failed or was lost. */
  text(): Promise<string>;
  /** The answer's text as it comes. */
  texts(): AsyncGenerator<string, void, undefined>;
  [Symbol.asyncIterator](): AsyncGenerator<RunEvent, void, undefined>;
  cancel(): Promise<void>;
  /** Follows a run again that was `lost`. */
  resume(): void;
  /** Stops listening; the run goes on at the server. */
  detach(): void;
  /** For the client: this run cannot be followed any further. */
  lose(error: KDCubeError): void;
  /** @returns what takes the listener off again. */
  on<Name extends keyof RunEvents>(name: Name, listener: (value: RunEvents[Name]) => void): () => void;
  emit<Name extends keyof RunEvents>(name: Name, value: RunEvents[Name]): void;
}

export interface Page<Item> { data: Item[]; cursor?: string | null }
export interface ConversationSummary { id: string; title: string; created_at: number; updated_at: number }
export interface Conversation {
  id: string;
  title: string;
  turns: { turn_id: string; run_id: string; user: string; assistant: string; status: string; started_at: number }[];
}

export interface Approvals {
  list(filter?: { state?: string; limit?: number; cursor?: string }): Promise<Page<Approval>>;
  /** A denial needs a reason. */
  decide(id: string, decision: 'approve' | 'deny', reason?: string): Promise<{ ok: true; state: string; approval: Approval }>;
}

export interface Conversations {
  list(page?: { limit?: number; cursor?: string }): Promise<Page<ConversationSummary>>;
  get(id: string): Promise<Conversation>;
  delete(id: string): Promise<null>;
}

export interface Runs {
  /** Followed by this client, and not finished. */
  readonly active: Run[];
  get(id: string): Promise<Record<string, unknown>>;
  why(id: string): Promise<Record<string, unknown>>;
  cancel(id: string): Promise<unknown>;
}

export interface KDCubeEvents {
  state: ConnectionState;
  approval: { approval: Approval; run: Run };
  session: Record<string, unknown>;
}

export class KDCube {
  constructor(options: KDCubeOptions);
  readonly state: ConnectionState;
  readonly approvals: Approvals;
  readonly conversations: Conversations;
  readonly runs: Runs;
  connect(options?: { timeout?: number }): Promise<void>;
  close(): void;
  /** Skips the wait for the next try to connect. */
  retryNow(): void;
  send(text: string, options?: SendOptions): Promise<Run>;
  resume(runId: string, afterSeq?: number): Promise<Run>;
  quota(): Promise<{ org: string; project: string; user: string; roles: string[]; windows: BudgetWindow[] }>;
  models(): Promise<{ data: { id: string; [more: string]: unknown }[] }>;
  refreshAuth(token: string): Promise<{ expiresAt: string | number | null }>;
  /** @returns what takes the listener off again. */
  on<Name extends keyof KDCubeEvents>(name: Name, listener: (value: KDCubeEvents[Name]) => void): () => void;
  emit<Name extends keyof KDCubeEvents>(name: Name, value: KDCubeEvents[Name]): void;
}
