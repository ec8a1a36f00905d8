// The picture: five columns, left to right as a request goes. Elements stay while their part does.

import { el, set, text, keyed, number, age, flow } from "./dom.js";

/** Which column a service stands in: behind a public load balancer, or further in. */
function isOuter(service, state) {
  return (state.loadBalancers ?? []).some((balancer) => balancer.scheme === "internet-facing"
    && balancer.targetGroups.some((group) => service.targetGroups.includes(group.arn)));
}

/** What stands in each column. */
function columns(state) {
  const balancers = state.loadBalancers ?? [];
  const services = state.services ?? [];
  const outward = balancers.filter((balancer) => balancer.scheme === "internet-facing");
  const balancer = (item) => ({ kind: "loadbalancer", id: `loadbalancer/${item.name}`, item });
  const service = (item) => ({ kind: "service", id: `service/${item.name}`, item });
  const entrance = outward.length
    ? [
      { kind: "internet", id: "frontdoor/internet", item: state.edges.find((edge) => edge.from === "frontdoor/internet") },
      { kind: "shield", id: "frontdoor/shield", item: state.frontDoor },
      ...outward.map(balancer),
    ]
    : [];
  return [
    { name: "entrance", title: "Front door", parts: entrance },
    { name: "outer", title: "Services", parts: services.filter((one) => isOuter(one, state)).map(service) },
    { name: "inner-doors", title: "Inside", parts: balancers.filter((one) => one.scheme !== "internet-facing").map(balancer) },
    { name: "inner", title: "Services", parts: services.filter((one) => !isOuter(one, state)).map(service) },
    {
      name: "data", title: "Data", parts: [
        ...(state.databases ?? []).map((item) => ({ kind: "database", id: `database/${item.name}`, item })),
        ...(state.caches ?? []).map((item) => ({ kind: "cache", id: `cache/${item.name}`, item })),
        ...(state.buckets ?? []).map((item) => ({ kind: "bucket", id: `bucket/${item.name}`, item })),
        ...holdings("secrets", "Secrets", "secret", state.secrets),
        ...holdings("keys", "Keys", "key", state.keys),
      ],
    },
  ].filter((column) => column.parts.length);
}

function holdings(kind, title, part, items) {
  return items && items.length ? [{ kind: "holdings", id: kind, item: { title, part, items } }] : [];
}

const kinds = {
  internet: { label: "Internet", make: makePlain, update: updateInternet },
  shield: { label: "Shield and WAF", make: makePlain, update: updateShield },
  loadbalancer: { label: "Load balancer", make: makePlain, update: updateBalancer },
  service: { label: "Service", make: makeService, update: updateService },
  database: { label: "Database", make: makeServers, update: updateServers },
  cache: { label: "Cache", make: makeServers, update: updateServers },
  bucket: { label: "Bucket", make: makePlain, update: updateBucket },
  holdings: { label: "", make: makeHoldings, update: updateHoldings },
};

export function drawMap(map, state, chosen, actions) {
  let grid = map.querySelector(".columns");
  if (!grid) {
    grid = el("div", { class: "columns" });
    map.append(grid);
  }
  const all = columns(state);
  set(grid, "data-columns", all.length);
  const context = { state, chosen, ...actions };
  keyed(grid, all, (column) => column.name,
    (column) => el("div", { class: `column ${column.name}`, role: "group", "aria-label": column.title }),
    (node, column) => keyed(node, column.parts, (part) => part.id,
      (part) => kinds[part.kind].make(part, context),
      (card, part) => {
        kinds[part.kind].update(card, part, context);
        set(card, "data-chosen", chosen === part.id);
      }));
}

/** The frame that all parts share: a heading that opens the details, a line of facts, a line of traffic. */
function card(part, context, ...children) {
  const label = kinds[part.kind].label;
  return el("article", { class: `part ${part.kind}`, "data-part": part.id },
    el("h2", {}, el("button", { class: "name", onclick: () => context.choose(part.id) },
      el("span", { class: "kind" }, label), el("span", { class: "label" }), el("span", { class: "dot", "aria-hidden": "true" }))),
    el("p", { class: "fact" }), el("p", { class: "traffic" }), ...children);
}

function frame(node, { label, health, fact, traffic, spoken }) {
  set(node, "data-health", health);
  text(node.querySelector(".label"), label);
  set(node.querySelector(".label"), "title", label);
  text(node.querySelector(".fact"), fact ?? "");
  const line = node.querySelector(".traffic");
  text(line, traffic ?? "");
  const words = `${node.querySelector(".kind").textContent} ${label}: ${spoken ?? health}`.trim();
  set(node, "aria-label", words);
  set(node.querySelector("button.name"), "aria-label", `${words}. Show details.`);
}

function makePlain(part, context) { return card(part, context); }

function updateInternet(node, part) {
  frame(node, { label: "Requests", health: "healthy", traffic: flow(part.item?.flow), spoken: flow(part.item?.flow) });
}

function updateShield(node, part) {
  const acls = part.item?.webACLs ?? [];
  const rules = acls.flatMap((acl) => acl.rules);
  frame(node, {
    label: acls.length ? acls.map((acl) => acl.name).join(", ") : "No rules",
    health: part.item ? part.item.health : "unknown",
    fact: rules.length ? rules.join(" · ") : "Every request passes",
    spoken: rules.length ? rules.join(", ") : "every request passes",
  });
}

function updateBalancer(node, part, context) {
  const balancer = part.item;
  const healthy = balancer.targetGroups.reduce((sum, group) => sum + group.healthy, 0);
  const total = balancer.targetGroups.reduce((sum, group) => sum + group.total, 0);
  text(node.querySelector(".kind"), balancer.scheme === "internal" ? "Internal load balancer" : "Public load balancer");
  frame(node, {
    label: short(balancer.label, context.state), health: balancer.health, fact: `${healthy}/${total} targets healthy`,
    traffic: flow(balancer.flow),
    spoken: `${balancer.health}, ${healthy} of ${total} targets are healthy, ${flow(balancer.flow) || "no traffic"}`,
  });
  set(node, "data-errors", balancer.flow && balancer.flow.errorRate > 0);
}

function updateBucket(node, part, context) {
  frame(node, { label: short(part.item.label, context.state), health: part.item.health, fact: part.item.label === part.item.name ? "" : part.item.name });
}

/** A name without what the page says already: the stack's name before it, the kind behind it (`OrdersCluster`). */
export function short(label, state) {
  const stack = state.stacks?.[0]?.name;
  let name = stack && label.startsWith(`${stack}-`) ? label.slice(stack.length + 1) : label;
  for (const suffix of ["LoadBalancer", "Cluster", "Cache", "Bucket", "Secret"]) {
    if (name.endsWith(suffix) && name.length > suffix.length) name = name.slice(0, -suffix.length);
  }
  return name;
}

// MARK: Services and tasks

function makeService(part, context) {
  return card(part, context, el("ul", { class: "tasks", "aria-label": "Tasks" }));
}

function updateService(node, part, context) {
  const service = part.item;
  const change = service.rollout === "IN_PROGRESS" ? " · deploying" : service.rollout === "FAILED" ? " · rolled back" : "";
  frame(node, {
    label: service.name, health: service.health, fact: `${service.running}/${service.desired} tasks${change}`,
    spoken: `${service.health}, ${service.running} of ${service.desired} tasks run${change.replace(" ·", ",")}`,
  });
  const newest = service.taskDefinition;
  keyed(node.querySelector(".tasks"), service.tasks, (task) => task.id,
    (task) => {
      const name = el("button", { class: "task-name", onclick: () => context.choose(`task/${task.id}`) },
        el("span", { class: "dot", "aria-hidden": "true" }), el("code", {}, task.id.slice(0, 6)),
        el("span", { class: "status" }), el("span", { class: "age" }));
      const kill = el("button", {
        class: "kill", "aria-label": `Kill task ${task.id.slice(0, 6)}`, title: "Kill -9",
        onclick: (event) => context.kill({ task: task.arn }, event.currentTarget),
      }, "kill");
      return el("li", { class: "task", "data-task": task.id }, name, kill);
    },
    (row, task) => {
      set(row, "data-health", task.health);
      set(row, "data-chosen", context.chosen === `task/${task.id}`);
      const old = task.taskDefinition !== newest && service.rollout === "IN_PROGRESS";
      set(row, "data-old", old);
      const word = task.health === "healthy" ? (old ? "old" : "") : task.status;
      text(row.querySelector(".status"), word);
      const since = task.since ? age(Date.now() - context.state.skew - task.since) : "";
      text(row.querySelector(".age"), since);
      set(row.querySelector(".task-name"), "aria-label",
        `Task ${task.id.slice(0, 6)}: ${task.health}${word && word !== task.health ? `, ${word}` : ""}, for ${since}`);
      row.querySelector(".kill").hidden = task.health === "stopping" || task.status === "stopped";
    });
}

// MARK: Databases and caches

function makeServers(part, context) {
  return card(part, context, el("ul", { class: "nodes", "aria-label": "Servers" }));
}

function updateServers(node, part, context) {
  const item = part.item;
  const open = item.connections === undefined || item.connections === null
    ? "" : `${number(item.connections)} ${item.connections === 1 ? "connection" : "connections"}`;
  frame(node, {
    label: short(item.label, context.state), health: item.health, fact: item.engine.replace("aurora-postgresql", "Aurora PostgreSQL"),
    traffic: open, spoken: `${item.status}${open ? `, ${open}` : ""}`,
  });
  keyed(node.querySelector(".nodes"), item.instances ?? item.nodes, (server) => server.name,
    (server) => {
      const name = el("button", { class: "task-name", onclick: () => context.choose(`node/${server.name}`) },
        el("span", { class: "dot", "aria-hidden": "true" }), el("span", { class: "role" }), el("span", { class: "status" }));
      const kill = el("button", {
        class: "kill", title: "Kill -9", "aria-label": `Kill server ${server.name}`,
        onclick: (event) => context.kill({ node: server.name }, event.currentTarget),
      }, "kill");
      return el("li", { class: "node", "data-node": server.name }, name, kill);
    },
    (row, server) => {
      set(row, "data-health", server.health);
      set(row, "data-role", server.role);
      set(row, "data-chosen", context.chosen === `node/${server.name}`);
      text(row.querySelector(".role"), server.role);
      text(row.querySelector(".status"), server.health === "healthy" ? "" : server.status);
      set(row.querySelector(".task-name"), "aria-label", `${server.role} ${server.name}: ${server.status}`);
      set(row.querySelector(".task-name"), "title", server.name);
    });
}

// MARK: Secrets and keys

function makeHoldings(part) {
  return el("article", { class: "part holdings", "data-part": part.id, "aria-label": part.item.title },
    el("h2", { class: "plain" }, part.item.title, " ", el("span", { class: "count" })), el("ul", { class: "chips" }));
}

function updateHoldings(node, part, context) {
  set(node, "data-health", "healthy");
  text(node.querySelector(".count"), String(part.item.items.length));
  keyed(node.querySelector(".chips"), part.item.items, (item) => item.name,
    (item) => el("li", { "data-part": `${part.item.part}/${item.name}` },
      el("button", { class: "chip", onclick: () => context.choose(`${part.item.part}/${item.name}`) },
        short(item.label, context.state))),
    (chip, item) => {
      set(chip, "data-health", item.health);
      set(chip, "data-chosen", context.chosen === `${part.item.part}/${item.name}`);
      set(chip.firstElementChild, "title", item.name);
    });
}

