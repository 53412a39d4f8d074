// What pages can do more with script: search as one types, copy, fresh times, passwords shown, no form sent twice.
// Everything works without it, each part fails alone, and all texts come from the page.
"use strict";

(() => {
  const SEARCH_DELAY = 250;
  const TIMES_EVERY = 20_000;
  const SENT_FOR = 10_000;
  const COPIED_FOR = 2_000;

  /** Runs one part; if it fails, the page stays what it was without it. */
  const part = run => {
    try {
      run();
    } catch (error) {
      console.warn(error);
    }
  };

  /** Looks for what is in the form each time it changes, and puts the new results in the place of the old. */
  const search = form => {
    const announce = form.querySelector("[data-announce]");
    let timer;
    let running = new AbortController();

    const address = () => {
      const filled = [...new FormData(form)].filter(([, value]) => value !== "");
      const url = new URL(form.getAttribute("action") ?? "", location.href);
      url.search = new URLSearchParams(filled).toString();
      return url;
    };

    const look = async () => {
      running = new AbortController();
      const { signal } = running;
      const url = address();
      const old = document.querySelector("[data-results]");
      old.setAttribute("aria-busy", "true");
      try {
        const answer = await fetch(url, { signal, headers: { accept: "text/html" } });
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        const fresh = page.querySelector("[data-results]");
        if (!answer.ok || !fresh || signal.aborted) return;
        old.replaceWith(fresh);
        history.replaceState(null, "", url);
        if (announce) announce.textContent = fresh.dataset.summary ?? "";
        enliven(fresh);
      } catch {
        // Aborted by the next letter, or refused: the form's button still works, and says what is wrong.
      } finally {
        if (!signal.aborted) old.removeAttribute("aria-busy");
      }
    };

    form.addEventListener("input", event => {
      if (event.isComposing) return;
      clearTimeout(timer);
      running.abort();
      timer = setTimeout(look, SEARCH_DELAY);
    });
    form.addEventListener("submit", () => {
      clearTimeout(timer);
      running.abort();
    });
  };

  /** Copies the text of the element that data-copy names, and says so for a moment. */
  const copy = button => {
    if (!navigator.clipboard) return;
    const before = button.textContent;
    button.hidden = false;
    button.setAttribute("aria-live", "polite");
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent.trim());
        button.textContent = button.dataset.done ?? before;
        setTimeout(() => { button.textContent = before; }, COPIED_FOR);
      } catch {
        getSelection()?.selectAllChildren(document.getElementById(button.dataset.copy));
      }
    });
  };

  /** Shows a password and hides it again; it is hidden when the form is sent. */
  const reveal = button => {
    const input = document.getElementById(button.getAttribute("aria-controls"));
    const texts = [button.textContent, button.dataset.hide];
    const labels = [button.getAttribute("aria-label"), button.dataset.hideLabel];
    const show = shown => {
      input.type = shown ? "text" : "password";
      button.textContent = texts[Number(shown)];
      if (labels[Number(shown)]) button.setAttribute("aria-label", labels[Number(shown)]);
    };
    button.addEventListener("click", () => show(input.type === "password"));
    input.form?.addEventListener("submit", () => show(false));
    button.removeAttribute("aria-pressed"); // its text says what it does
    button.hidden = false;
  };

  // By the server's clock, as long as the page says what it was.
  const ahead = Date.parse(document.body.dataset.now ?? "") - Date.now() || 0;
  const words = document.body.dataset.times?.split("|") ?? [];

  /** How long ago, in the page's words; nothing where the server's own text is to stay. */
  const ago = seconds => {
    if (!(seconds >= 0)) return undefined;
    if (seconds < 60) return words[0];
    const [one, size] = seconds < 3600 ? [1, 60] : seconds < 86_400 ? [3, 3600] : [5, 86_400];
    const count = Math.floor(seconds / size);
    if (size === 86_400 && count >= 30) return undefined;
    return words[count === 1 ? one : one + 1].replace("{}", String(count));
  };

  const refresh = () => {
    if (words.length !== 7 || document.hidden) return;
    for (const time of document.querySelectorAll("time[data-relative]")) {
      const text = ago((Date.now() + ahead - Date.parse(time.dateTime)) / 1000);
      if (text && text !== time.textContent) time.textContent = text;
    }
  };

  // A form that changes something is sent once, until its answer is there or it has taken too long.
  const sent = new Map();
  const release = form => {
    sent.get(form)?.removeAttribute("aria-busy");
    sent.delete(form);
  };
  const guard = event => {
    const form = event.target;
    if (event.defaultPrevented || form.getAttribute("method")?.toLowerCase() !== "post") return;
    if (sent.has(form)) {
      event.preventDefault();
      return;
    }
    event.submitter?.setAttribute("aria-busy", "true");
    sent.set(form, event.submitter);
    setTimeout(() => release(form), SENT_FOR);
  };

  /** What may also come with new results. */
  const enliven = root => {
    for (const button of root.querySelectorAll("[data-copy]")) part(() => copy(button));
    for (const button of root.querySelectorAll("[data-reveal]")) part(() => reveal(button));
    part(refresh);
  };

  enliven(document);
  for (const form of document.querySelectorAll("form[data-search]")) part(() => search(form));
  document.addEventListener("submit", guard);
  document.addEventListener("visibilitychange", refresh);
  addEventListener("pageshow", () => [...sent.keys()].forEach(release));
  setInterval(refresh, TIMES_EVERY);
})();
