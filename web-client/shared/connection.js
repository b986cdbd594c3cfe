import { formatDuration } from './time.js';

/** The connection, in words. */
export function connectionPhrase({ state, since, retryAt, stale }, now, clock) {
  switch (state) {
    case 'live': return 'Live';
    case 'sse': return 'Live by SSE';
    case 'poll': return 'Asked every 3 s';
    case 'connecting': return stale ? 'Reconnecting' : 'Connecting';
    case 'waiting': {
      const wait = formatDuration(Math.max(0, retryAt - now));
      return now - since < 20000 ? `Reconnecting in ${wait}` : `Offline since ${clock(since)}, next try in ${wait}`;
    }
    case 'refused': return 'Signed out';
    default: return 'Not connected';
  }
}
