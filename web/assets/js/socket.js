// @ts-check
// A websocket that reconnects at random intervals, reports when it stays disconnected, and pauses while the page is
// in the browser's back/forward cache.

import { backoff, spread } from "./jitter.js";
import { hide, show } from "./notices.js";

const PLANNED = 1_000; // ms over which readers that a server has sent away are spread
const FIRST = 100; // ms, doubled after each failure
const LONGEST = 10_000;
const STEADY = 5_000; // ms after which a connection resets the backoff
const QUIET = 4_000; // ms for which a lost connection is not reported

export class Socket {
  /**
   * @param {() => string} address of the next connection
   * @param {(frame: any) => void} receive
   */
  constructor(address, receive) {
    this.address = address;
    this.receive = receive;
    this.attempt = 0;
    this.heartbeat = 0;
    /** @type {WebSocket | null} */
    this.socket = null;
    /** @type {Record<string, ReturnType<typeof setTimeout>>} */
    this.timers = {};
    window.addEventListener("pagehide", () => this.stop());
    window.addEventListener("pageshow", (event) => event.persisted && this.start());
    window.addEventListener("online", () => this.again());
    document.addEventListener("visibilitychange", () => {
      // A laptop that wakes up has a socket whose other end is gone.
      if (!document.hidden && this.socket?.readyState !== WebSocket.OPEN) this.again();
    });
  }

  start() {
    if (this.socket) return;
    const socket = new WebSocket(this.address());
    this.socket = socket;
    this.expect();
    this.later("quiet", QUIET, () => show("lost", "Connection lost. Trying again…"), true);
    socket.addEventListener("message", (event) => {
      if (socket !== this.socket) return;
      this.receive(JSON.parse(event.data));
      this.watch();
    });
    socket.addEventListener("open", () => {
      if (socket !== this.socket) return;
      this.clear("quiet");
      hide("lost");
      this.later("steady", STEADY, () => (this.attempt = 0));
    });
    socket.addEventListener("close", (event) => {
      if (socket === this.socket) this.lost(event.code);
    });
  }

  stop() {
    const { socket } = this;
    this.socket = null;
    for (const name of Object.keys(this.timers)) this.clear(name);
    socket?.close(1000);
  }

  /** Connects anew, now: to another address, or since there is reason to hope. */
  again() {
    this.stop();
    this.start();
  }

  /** @param {number} code */
  lost(code) {
    this.socket = null;
    for (const name of ["steady", "heartbeat", "opening"]) this.clear(name);
    // The server goes away or restarts. All readers come back at the same time, so each of them waits for a
    // random time.
    const planned = code === 1001 || code === 1012;
    const wait = planned ? spread(PLANNED) : backoff(FIRST, LONGEST, this.attempt);
    if (!planned) this.attempt = Math.min(this.attempt + 1, 16);
    this.later("retry", wait, () => this.start());
    this.later("quiet", QUIET, () => show("lost", "Connection lost. Trying again…"), true);
  }

  /** A connection that does not open is as good as none. */
  expect() {
    const { socket } = this;
    this.later("opening", LONGEST, () => {
      if (socket?.readyState === WebSocket.CONNECTING) this.drop();
    });
  }

  /** Silence for longer than the server's heartbeat, which is a hello, means it is gone. */
  watch() {
    if (this.socket && this.heartbeat > 0) this.later("heartbeat", 1.5 * this.heartbeat, () => this.drop());
  }

  drop() {
    const { socket } = this;
    this.lost(1006);
    socket?.close();
  }

  /**
   * @param {string} name @param {number} delay ms
   * @param {() => void} act @param {boolean} [once] an earlier one goes on
   */
  later(name, delay, act, once = false) {
    if (once && name in this.timers) return;
    this.clear(name);
    this.timers[name] = setTimeout(act, delay);
  }

  /** @param {string} name */
  clear(name) {
    clearTimeout(this.timers[name]);
    delete this.timers[name];
  }
}
