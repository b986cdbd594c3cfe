/** Chart.js, when the set-up has installed it: loaded when a chart is first wanted, because it is larger than all pages together. */
let loaded = null;

/** @returns {Promise<Function|null>} the class, or null where the file is not there. */
export function loadChart() {
  loaded ??= new Promise((resolve) => {
    const script = document.createElement('script');
    script.src = new URL('../vendor/chart.min.js', import.meta.url).href;
    script.onload = () => resolve(globalThis.Chart ?? null);
    script.onerror = () => {
      loaded = null; // it may be installed, or the connection back, another time
      script.remove();
      resolve(null);
    };
    document.head.append(script);
  });
  return loaded;
}

/** Calls back when the colours of the page change: the system's scheme, or the switch. */
export function onScheme(changed) {
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', changed);
  new MutationObserver(changed).observe(document.documentElement, { attributes: true, attributeFilter: ['data-scheme'] });
}
