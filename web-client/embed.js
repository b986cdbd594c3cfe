/*
 * <script src="https://kdcube.example/embed.js" data-token="kd-…" async></script> shows a chat where the tag stands, or in
 * `data-target`. A classic script, because only such a one knows its own tag; docs/sdk.md has the attributes.
 */
(() => {
  const script = document.currentScript;
  const options = { url: new URL('.', script.src).href, ...script.dataset };
  const load = import(new URL('embed/widget.js', script.src).href);
  const place = () => {
    const host = document.createElement('div');
    host.className = 'kdcube-widget';
    const target = options.target && document.querySelector(options.target);
    if (target) target.append(host);
    else if (script.isConnected && document.body.contains(script)) script.after(host);
    else document.body.append(host);
    load.then(({ mount }) => mount(host, options), () => {
      host.textContent = 'The chat could not be loaded: its server is away, or does not list this page under server.origins.';
    });
  };
  const isThere = document.readyState !== 'loading' || (!options.target && document.body?.contains(script));
  if (isThere) place();
  else document.addEventListener('DOMContentLoaded', place);
})();
