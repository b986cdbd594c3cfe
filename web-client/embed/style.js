/** The widget's own style. Four properties of the page set it: --kdcube-accent, --kdcube-surface, --kdcube-text, --kdcube-radius. */
export const CSS = `
:host { all: initial; display: block; block-size: 30rem; max-block-size: 85vh; color-scheme: light dark;
  --a: var(--kdcube-accent, #1859c4); --s: var(--kdcube-surface, #fff); --t: var(--kdcube-text, #1b1b19); --r: var(--kdcube-radius, 12px);
  --soft: color-mix(in srgb, var(--t) 6%, var(--s)); --line: color-mix(in srgb, var(--t) 18%, var(--s));
  --quiet: color-mix(in srgb, var(--t) 72%, var(--s)); --cut: color-mix(in srgb, #d0281e 62%, var(--t)); }
@media (prefers-color-scheme: dark) {
  :host { --a: var(--kdcube-accent, #86b4ff); --s: var(--kdcube-surface, #1d1d1b); --t: var(--kdcube-text, #edece8); }
}
* { box-sizing: border-box; }
section { display: flex; flex-direction: column; block-size: 100%; overflow: hidden; border: 1px solid var(--line);
  border-radius: var(--r); background: var(--s); color: var(--t); font: 15px/22px system-ui, sans-serif; }
h2 { margin: 0; padding: 12px 16px; font: inherit; font-weight: 600; border-block-end: 1px solid var(--line); }
.log { flex: 1; overflow: auto; padding: 16px; overflow-wrap: anywhere; }
.log:empty::before { content: attr(data-empty); color: var(--quiet); }
.you { margin: 0 0 12px auto; inline-size: fit-content; max-inline-size: 85%; padding: 8px 12px; border-radius: var(--r);
  background: var(--soft); white-space: pre-wrap; }
article { margin-block-end: 20px; }
p, ul, ol, .code { margin: 0 0 10px; }
ul, ol { padding-inline-start: 22px; }
.head { font-weight: 600; }
a { color: var(--a); }
code { font: 13px/20px ui-monospace, monospace; background: var(--soft); border-radius: 4px; padding: 1px 4px; }
.code { display: flex; background: var(--soft); border-radius: calc(var(--r) / 2); }
.code code { padding: 0; background: none; }
pre { flex: 1; min-inline-size: 0; margin: 0; padding: 12px; overflow: auto; }
.code button { flex: none; align-self: start; margin: 6px; padding: 2px 8px; font-size: 12px; }
.note { display: flex; gap: 8px; margin: 6px 0; color: var(--quiet); font-size: 13px; line-height: 18px; }
.note::before { content: attr(data-sign); }
.note.cut, .note.error { color: var(--cut); font-size: 14px; line-height: 20px; }
.busy { color: var(--quiet); font-size: 13px; min-block-size: 18px; line-height: 18px; }
.busy:not(:empty)::before { content: "●"; margin-inline-end: 6px; color: var(--a); animation: pulse 1.2s infinite; }
@keyframes pulse { 50% { opacity: 0.25; } }
form { display: flex; gap: 8px; align-items: end; padding: 12px; border-block-start: 1px solid var(--line); }
textarea { flex: 1; min-inline-size: 0; resize: none; max-block-size: 8rem; padding: 8px 10px; font: inherit; color: inherit; background: var(--s);
  border: 1px solid color-mix(in srgb, var(--t) 55%, var(--s)); border-radius: calc(var(--r) * 0.7); field-sizing: content; }
textarea::placeholder { color: var(--quiet); opacity: 1; }
button { min-block-size: 40px; padding: 0 16px; font: inherit; font-weight: 600; cursor: pointer; color: var(--s); background: var(--a);
  border: 0; border-radius: calc(var(--r) * 0.7); }
.code button, button.stop { color: var(--t); background: var(--s); border: 1px solid var(--line); min-block-size: 28px; }
button.stop { min-block-size: 40px; border-color: currentcolor; }
button:disabled { opacity: 0.55; cursor: default; }
:focus-visible { outline: 2px solid var(--a); outline-offset: 2px; }
.log:focus-visible { outline-offset: -2px; }
.said { position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; clip-path: inset(50%); }
@media (pointer: coarse) { button { min-block-size: 44px; } }
@media (prefers-reduced-motion: reduce) { * { animation: none !important; } }
`;
