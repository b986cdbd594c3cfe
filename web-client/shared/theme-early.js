// A classic script, because a module would run after the first paint. Light, dark or (default) as the system says.
try {
  const scheme = localStorage.getItem('kdcube.scheme');
  if (scheme === 'light' || scheme === 'dark') document.documentElement.dataset.scheme = scheme;
} catch {
  // Storage may be forbidden; the system's scheme is a good answer.
}
