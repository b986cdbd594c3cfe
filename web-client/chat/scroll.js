/** Nearer to the end than this counts as "following". */
const NEAR = 96;

/** Follows a growing thread until the person scrolls away, and offers the way back. */
export class Follower {
  #following = true;

  constructor(scroller, jump) {
    this.scroller = scroller;
    this.jump = jump;
    scroller.addEventListener('scroll', () => this.#look(), { passive: true });
    // A wheel or a finger upwards means "let me read": stop at once, not after NEAR pixels.
    scroller.addEventListener('wheel', (event) => event.deltaY < 0 && this.#leave(), { passive: true });
    jump.addEventListener('click', () => this.toEnd());
    new ResizeObserver(() => this.keep()).observe(scroller);
  }

  /** Call after the thread grew. */
  keep() {
    if (this.#following) this.scroller.scrollTop = this.scroller.scrollHeight;
    else this.#look();
  }

  toEnd() {
    this.#following = true;
    this.keep();
    this.jump.hidden = true;
  }

  #leave() {
    if (this.scroller.scrollHeight > this.scroller.clientHeight) this.#following = false;
  }

  #look() {
    const { scrollTop, scrollHeight, clientHeight } = this.scroller;
    this.#following = scrollHeight - scrollTop - clientHeight < NEAR && (this.#following || scrollHeight - scrollTop - clientHeight < 8);
    this.jump.hidden = scrollHeight - scrollTop - clientHeight < NEAR;
  }
}
