// The panel of the part that was chosen: what is known of it, what can be done, and its log as it grows.

import { el, set, text, keyed, duration, number } from "./dom.js";

const linesMax = 1000;

export class Details {
  constructor(root, choose) {
    this.root = root;
    this.choose = choose;
    this.part = null;
    this.stream = null;
    this.kill = null;
  }

  /** Shows a part; null closes the panel. Called with every state. */
  show(id, state) {
    const found = id ? find(id, state) : null;
    if (!id) return this.close();
    if (this.part !== id) this.open(id, found);
    if (!found) {
      text(this.fact, "It is gone.");
      return;
    }
    text(this.title, found.title);
    set(this.root, "data-health", found.health);
    text(this.kind, found.kind);
    text(this.health, found.health === "unknown" ? "" : found.health);
    text(this.fact, "");
    keyed(this.list, found.facts.filter(([, value]) => value), ([name]) => name,
      ([name]) => el("div", {}, el("dt", {}, name), el("dd", {})),
      (row, [, value]) => {
        const cell = row.lastElementChild;
        if (value instanceof URL) {
          if (cell.firstElementChild?.getAttribute("href") !== value.href) {
            cell.replaceChildren(el("a", { href: value.href, target: "_blank", rel: "noreferrer noopener" }, value.href));
          }
        } else text(cell, value);
      });
  }

  say(message) {
    if (this.part) text(this.note, message);
    else alertLine(message);
  }

  close() {
    this.stream?.close();
    this.stream = null;
    this.part = null;
    this.root.hidden = true;
    set(document.body, "data-details", false);
  }

  open(id, found) {
    this.stream?.close();
    this.stream = null;
    this.part = id;
    this.root.hidden = false;
    set(document.body, "data-details", true);
    this.kind = el("span", { class: "kind" });
    this.title = el("span", { class: "title" });
    this.health = el("span", { class: "health" });
    this.list = el("dl", {});
    this.fact = el("p", { class: "gone" });
    this.note = el("p", { class: "note", role: "status" });
    this.log = el("ol", { class: "log", tabindex: "0", "aria-label": "Log", role: "log" });
    const buttons = (found?.actions ?? []).map((action) => el("button", {
      class: action.isHard ? "hard" : "soft", onclick: (event) => this.kill(action.query, event.currentTarget),
    }, action.label));
    this.root.replaceChildren(
      el("header", {}, el("h2", {}, this.kind, this.title, this.health), ...buttons,
        el("button", { class: "close", "aria-label": "Close details", onclick: () => this.choose(null) }, "Close")),
      this.note, this.fact, this.list, this.log);
    this.log.hidden = !found?.log;
    if (found?.log) this.follow(found.log);
  }

  /** The log of the part, line by line. */
  follow(query) {
    const stream = new EventSource(`/_castle/tail?${new URLSearchParams(query)}`);
    this.stream = stream;
    const log = this.log;
    let waiting = [];
    stream.onopen = () => {
      // After a break the castle tells the last lines again.
      log.replaceChildren();
      waiting = [];
    };
    stream.onmessage = (event) => {
      waiting.push(JSON.parse(event.data));
      if (waiting.length > 1) return;
      requestAnimationFrame(() => {
        const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
        log.append(...waiting.splice(0).map(line));
        while (log.childElementCount > linesMax) log.firstElementChild.remove();
        if (isAtEnd) log.scrollTop = log.scrollHeight;
      });
    };
    stream.onerror = () => {
      if (stream.readyState === EventSource.CLOSED) text(this.note, "There is no log to show.");
    };
  }
}

function alertLine(message) {
  const problems = document.getElementById("problems");
  problems.hidden = false;
  problems.append(el("p", {}, message));
}

function line(item) {
  const time = item.time ? new Date(item.time).toLocaleTimeString([], { hour12: false }) : "";
  const message = item.message.replace(/\s+$/, "");
  const level = /\b(error|fatal|panic|critical)\b/i.test(message.slice(0, 200)) ? "error"
    : /\bwarn(ing)?\b/i.test(message.slice(0, 200)) ? "warning" : null;
  return el("li", { "data-level": level }, el("time", {}, time), el("span", { class: "source" }, item.source.slice(0, 6)),
    el("span", { class: "message" }, pretty(message)));
}

/** JSON lines as their message and the rest of their members. */
function pretty(message) {
  if (!message.startsWith("{")) return message;
  try {
    const { time, timestamp, level, msg, message: words, ...rest } = JSON.parse(message);
    const members = Object.entries(rest).map(([key, value]) => `${key}=${typeof value === "object" ? JSON.stringify(value) : value}`);
    return [level, msg ?? words, ...members].filter((part) => part !== undefined && part !== "").join("  ");
  } catch {
    return message;
  }
}

/** What there is to say of a part. */
function find(id, state) {
  const slash = id.indexOf("/");
  const [kind, name] = [id.slice(0, slash), id.slice(slash + 1)];
  const named = (list) => (list ?? []).find((item) => item.name === name);
  switch (kind) {
    case "frontdoor": return frontDoor(name, state);
    case "loadbalancer": return balancer(named(state.loadBalancers));
    case "service": return service(named(state.services));
    case "task": return task(name, state);
    case "node": return server(name, state);
    case "database": return store(named(state.databases), "Database");
    case "cache": return store(named(state.caches), "Cache");
    case "bucket": return holding(named(state.buckets), "Bucket", state);
    case "secret": return holding(named(state.secrets), "Secret", state, id);
    case "key": return holding(named(state.keys), "Key", state);
    default: return null;
  }
}

function traffic(flow) {
  if (!flow) return [];
  return [
    ["Requests", `${number(flow.rate)} a second`], ["p99", flow.p99 ? duration(flow.p99) : null],
    ["Errors (5xx)", flow.errorRate > 0 ? `${number(flow.errorRate)} a second` : null],
  ];
}

function frontDoor(name, state) {
  if (name === "internet") {
    const edge = state.edges.find((one) => one.from === "frontdoor/internet");
    return { kind: "Front door", title: "Internet", health: "healthy", facts: traffic(edge?.flow) };
  }
  const door = state.frontDoor;
  return {
    kind: "Front door", title: "Shield and WAF", health: door?.health ?? "unknown",
    facts: [
      ["Shield Advanced", door?.shield],
      ...(door?.webACLs ?? []).map((acl) => [acl.name, acl.rules.join(", ") || "no rules"]),
    ],
  };
}

function balancer(item) {
  if (!item) return null;
  return {
    kind: item.scheme === "internal" ? "Internal load balancer" : "Public load balancer", title: item.label,
    health: item.health,
    facts: [
      ["Address", item.url ? new URL(item.url) : null], ...traffic(item.flow),
      ["Open connections", item.connections === undefined ? null : String(item.connections)], ["State", item.reason],
      ...item.targetGroups.map((group) => [`Target group ${group.name}`, `${group.healthy} of ${group.total} healthy`
        + (group.flow ? `, ${number(group.flow.rate)}/s` : "")]),
      ["ARN", item.arn],
    ],
  };
}

function service(item) {
  if (!item) return null;
  return {
    kind: item.arn ? "Service" : "Tasks", title: item.name, health: item.health, log: { service: item.name },
    facts: [
      ["Tasks", `${item.running} run, ${item.desired} are wanted`], ["Release", item.taskDefinition],
      ["Deployment", item.rollout ? item.rollout.toLowerCase().replace("_", " ") : null], ["Last event", item.event],
      ["Uses", item.uses.map((id) => id.slice(id.indexOf("/") + 1)).join(", ")], ["Cluster", item.cluster],
      ["ARN", item.arn],
    ],
  };
}

function task(id, state) {
  for (const one of state.services ?? []) {
    const item = one.tasks.find((candidate) => candidate.id === id);
    if (!item) continue;
    return {
      kind: `Task of ${one.name}`, title: id.slice(0, 6), health: item.health, log: { task: item.arn },
      actions: [
        { label: "Kill -9", query: { task: item.arn }, isHard: true },
        { label: "Stop gracefully", query: { task: item.arn, how: "stop" } },
      ],
      facts: [
        ["Status", item.status], ["Reason", item.reason], ["Address", item.address],
        ["Since", item.since ? new Date(item.since).toLocaleString() : null], ...traffic(item.flow),
        ["Release", item.taskDefinition], ["ARN", item.arn],
      ],
    };
  }
  return null;
}

function server(name, state) {
  for (const [kind, list] of [["database", state.databases], ["cache", state.caches]]) {
    for (const whole of list ?? []) {
      const item = (whole.instances ?? whole.nodes).find((one) => one.name === name);
      if (!item) continue;
      return {
        kind: `${item.role} of the ${kind} ${whole.label}`, title: name, health: item.health, log: { node: name },
        actions: [{ label: "Kill -9", query: { node: name }, isHard: true }],
        facts: [["Role", item.role], ["Status", item.status]],
      };
    }
  }
  return null;
}

function store(item, kind) {
  if (!item) return null;
  const servers = item.instances ?? item.nodes;
  const first = servers[0];
  return {
    kind, title: item.label, health: item.health, log: first ? { node: first.name } : null,
    facts: [
      ["Engine", item.engine], ["Status", item.status],
      [kind === "Database" ? "Writer" : "Primary", item.endpoint ? `${item.endpoint}:${item.port ?? ""}` : null],
      ["Readers", item.readerEndpoint ? `${item.readerEndpoint}:${item.port ?? ""}` : null],
      ["Open connections", item.connections === undefined || item.connections === null ? null : String(item.connections)],
      ["Servers", servers.map((one) => `${one.name} (${one.role}, ${one.status})`).join(", ")], ["Identifier", item.name],
    ],
  };
}

function holding(item, kind, state, id) {
  if (!item) return null;
  const users = id ? (state.services ?? []).filter((one) => one.uses.includes(id)).map((one) => one.name) : [];
  return {
    kind, title: item.label, health: item.health,
    facts: [["Name", item.name], ["About", item.detail], ["Used by", users.join(", ")], ["ARN", item.arn]],
  };
}
