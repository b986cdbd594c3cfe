/** One error shape for every transport, with what a person needs to quote it. */
export class KDCubeError extends Error {
  /**
   * @param {string} message what happened, as the server said it.
   * @param {{code?: string, status?: number, requestId?: string, runId?: string, retryAfter?: number, rule?: string,
   *   details?: object, body?: object}} facts `retryAfter` in seconds; `details` is the server's own error object, `body` what it stood in.
   */
  constructor(message, facts = {}) {
    super(message);
    this.name = 'KDCubeError';
    this.code = facts.code ?? 'unknown';
    this.status = facts.status ?? 0;
    this.requestId = facts.requestId ?? '';
    this.runId = facts.runId ?? '';
    this.retryAfter = facts.retryAfter ?? 0;
    this.rule = facts.rule ?? '';
    this.details = facts.details ?? {};
    this.body = facts.body ?? null;
  }
}

/** Codes of a refused handshake that trying again can heal; every other refusal waits for the person. */
const PASSING = new Set([
  'accounting_unavailable', 'server_draining', 'draining', 'too_many_connections', 'rate_limit_exceeded', 'rate_limited',
  'timeout', 'internal_error', 'server_error', 'unavailable',
]);

export const isPassing = (code) => PASSING.has(code);

/** Reads `{error: {...}}`, `{code, message}` or a bare string, as they come in acknowledgements and bodies. */
export function errorFrom(value, facts = {}) {
  const body = value?.error ?? value;
  if (typeof body === 'string') return new KDCubeError(body, { code: body.match(/^[a-z_]+$/) ? body : undefined, ...facts });
  return new KDCubeError(body?.message ?? 'The server refused and gave no reason.', {
    ...facts,
    code: body?.code ?? facts.code,
    requestId: facts.requestId || body?.request_id,
    runId: body?.run_id ?? facts.runId,
    retryAfter: facts.retryAfter || Number(body?.retry_after) || 0,
    rule: body?.rule ?? '',
    details: body ?? {},
  });
}
