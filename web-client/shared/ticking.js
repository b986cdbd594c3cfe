/** Calls `draw` now and every second while the box is on the page. */
export function ticking(box, draw) {
  draw();
  const timer = setInterval(() => {
    if (!box.isConnected || draw() === false) clearInterval(timer);
  }, 1000);
  return () => clearInterval(timer);
}
