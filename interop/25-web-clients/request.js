// As much of XMLHttpRequest as strophe.js uses for BOSH, with `fetch`.

export class Request {
  readyState = 0;
  status = 0;
  responseText = "";
  responseXML = null;
  onreadystatechange = () => {};
  #fields = {};
  #cut = new AbortController();

  open(verb, url) {
    Object.assign(this, { verb, url, readyState: 1 });
  }

  setRequestHeader(name, value) {
    this.#fields[name] = value;
  }

  getAllResponseHeaders() {
    return "";
  }

  async send(body) {
    const { verb: method, url } = this;
    try {
      const answer = await fetch(url, { method, body, headers: this.#fields, signal: this.#cut.signal });
      this.responseText = await answer.text();
      // Node.js has no parser: this is the one that strophe.js brings along.
      this.responseXML = new DOMParser().parseFromString(this.responseText, "text/xml");
      this.status = answer.status;
    } catch {
      this.status = 0;
    }
    this.readyState = 4;
    if (!this.#cut.signal.aborted) this.onreadystatechange();
  }

  abort() {
    this.#cut.abort();
  }
}
