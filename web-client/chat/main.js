import { KDCubeClient } from '../client/kdcube-client.js';
import { forgetCredential, keepCredential, keyPanel, readCredential } from '../shared/credential.js';
import { byId, loadIcons } from '../shared/dom.js';
import { ChatPage } from './page.js';
import { setUpTheme } from '../shared/theme.js';

loadIcons().catch(() => {}); // the words beside the icons carry the meaning
setUpTheme(byId('theme'));

const page = new ChatPage({ onsignout: (error) => signOut(error) });
let client = null;

/** `?transport=sse` asks for the fallback; for support, and for tests of it. */
const transport = new URLSearchParams(location.search).get('transport') ?? 'auto';

function signIn(key) {
  keepCredential(key);
  client = new KDCubeClient({ baseUrl: '', token: key, transport });
  page.start(client);
}

function signOut(error) {
  if (!client) return; // several requests may be refused at once
  page.stopClient();
  client = null;
  forgetCredential();
  page.block(keyPanel({ error: error ? `The server refused this key: ${error.message}` : '', onkey: signIn }));
}

const { key, offered } = readCredential(location, history);
if (key) signIn(key);
else page.block(keyPanel({ prefill: offered ?? '', confirm: offered !== null, onkey: signIn }));

// The browser often knows before any timer that the network is back.
addEventListener('online', () => client?.retryNow());
document.addEventListener('visibilitychange', () => document.hidden || client?.retryNow());
