// The arrows: lines behind the parts, numbers on the lines. On a narrow page the parts tell their numbers themselves.

import { el, set, text, keyed, number, duration } from "./dom.js";

const svgNamespace = "http://www.w3.org/2000/svg";

function svg(tag, attributes) {
  const node = document.createElementNS(svgNamespace, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

export function drawArrows(map, state) {
  let layer = map.querySelector("g.lines");
  if (!layer) {
    const root = svg("svg", { class: "arrows", "aria-hidden": "true" });
    for (const name of ["idle", "busy", "errors"]) {
      const head = svg("marker", { id: `head-${name}`, class: `head ${name}`, viewBox: "0 0 8 8", refX: 7, refY: 4,
        markerWidth: 8, markerHeight: 8, markerUnits: "userSpaceOnUse", orient: "auto" });
      head.append(svg("path", { d: "M0 0.5L7.5 4L0 7.5z" }));
      root.append(head);
    }
    layer = svg("g", { class: "lines" });
    root.append(layer);
    map.prepend(root);
    map.append(el("div", { class: "numbers" }));
  }
  const numbers = map.querySelector(".numbers");
  const box = map.getBoundingClientRect();
  // Wide enough for columns beside each other: the style sheet decides, so that there is one place that does.
  const isWide = getComputedStyle(map).getPropertyValue("--arrows").trim() === "yes";
  const arrows = isWide ? state.edges.map((edge) => place(edge, map, box)).filter(Boolean) : [];
  spread(arrows);
  for (const arrow of arrows) arrow.path = route(arrow, map, box);
  keyed(layer, arrows, (arrow) => `${arrow.edge.from} ${arrow.edge.to}`,
    () => svg("path", { class: "arrow" }),
    (path, arrow) => {
      set(path, "d", arrow.path.d);
      const rate = arrow.edge.flow?.rate ?? 0;
      const busy = rate > 0 || (arrow.edge.connections ?? 0) > 0;
      const fails = (arrow.edge.flow?.errorRate ?? 0) > 0;
      set(path, "data-busy", busy);
      set(path, "data-errors", fails);
      set(path, "marker-end", `url(#head-${fails ? "errors" : busy ? "busy" : "idle"})`);
      // Faster dashes for more requests, by orders of magnitude.
      const seconds = busy ? Math.max(0.5, 4 - Math.log10(1 + rate)) : 0;
      const speed = `${seconds.toFixed(1)}s`;
      if (path.style.animationDuration !== speed) path.style.animationDuration = speed;
    });
  keyed(numbers, arrows.filter((arrow) => words(arrow.edge).length), (arrow) => `${arrow.edge.from} ${arrow.edge.to}`,
    (arrow) => el("p", { class: "number", "data-from": arrow.edge.from, "data-to": arrow.edge.to },
      el("span", { class: "first" }), el("span", { class: "second" })),
    (node, arrow) => {
      const [first, second] = words(arrow.edge);
      text(node.firstElementChild, first);
      text(node.lastElementChild, second ?? "");
      node.style.left = `${arrow.path.x}px`;
      node.style.top = `${arrow.path.y}px`;
      set(node, "data-errors", (arrow.edge.flow?.errorRate ?? 0) > 0);
      set(node, "data-upright", arrow.isUpright);
    });
}

function words(edge) {
  if (edge.flow) {
    const second = edge.flow.rate > 0 && edge.flow.p99 ? `p99 ${duration(edge.flow.p99)}` : null;
    return second ? [`${number(edge.flow.rate)}/s`, second] : [`${number(edge.flow.rate)}/s`];
  }
  if (edge.connections) return [`${number(edge.connections)} conn`];
  return [];
}

/** Where an edge begins and ends. */
function place(edge, map, box) {
  const find = (id) => map.querySelector(`[data-part="${CSS.escape(id)}"]`);
  const [from, to] = [find(edge.from), find(edge.to)];
  if (!from || !to) return null;
  const [a, b] = [from.getBoundingClientRect(), to.getBoundingClientRect()];
  const isUpright = Math.abs(a.left - b.left) < 4;
  // Columns between are passed below all that stands in them.
  const between = [...map.querySelectorAll(".column")].map((column) => column.getBoundingClientRect())
    .filter((column) => column.left > a.right + 1 && column.right < b.left - 1);
  return { edge, from, to, a, b, isUpright, between, order: 0.5, arrival: 0.5 };
}

/** Arrows that share a side of a part do not share a point of it. */
function spread(arrows) {
  for (const [side, slot] of [["from", "order"], ["to", "arrival"]]) {
    const groups = new Map();
    for (const arrow of arrows) {
      if (arrow.isUpright) continue;
      const list = groups.get(arrow[side]) ?? [];
      list.push(arrow);
      groups.set(arrow[side], list);
    }
    const other = side === "from" ? "b" : "a";
    for (const list of groups.values()) {
      list.sort((one, two) => one.between.length - two.between.length || one[other].top - two[other].top);
      list.forEach((arrow, index) => { arrow[slot] = (index + 1) / (list.length + 1); });
    }
  }
}

/** The line, and the place of its number. */
function route(arrow, map, box) {
  const { a, b } = arrow;
  if (arrow.isUpright) {
    const x = a.left + a.width / 2 - box.left;
    const [y1, y2] = [a.bottom - box.top, b.top - box.top];
    return { d: `M${x} ${y1}V${y2}`, x, y: (y1 + y2) / 2 };
  }
  const { between } = arrow;
  const [x1, x2] = [a.right - box.left, b.left - box.left];
  const y1 = a.top - box.top + a.height * arrow.order;
  const y2 = b.top - box.top + Math.min(b.height, 96) * arrow.arrival;
  if (!between.length) {
    const middle = (x1 + x2) / 2;
    return { d: `M${x1} ${y1}C${middle} ${y1} ${middle} ${y2} ${x2} ${y2}`, x: middle, y: (y1 + y2) / 2 };
  }
  const parts = [...map.querySelectorAll(".part")].map((part) => part.getBoundingClientRect())
    .filter((part) => part.left > a.right && part.right < b.left);
  const lane = Math.max(...parts.map((part) => part.bottom)) - box.top + 14 + 22 * arrow.order;
  const [left, right] = [Math.min(...between.map((one) => one.left)) - box.left, Math.max(...between.map((one) => one.right)) - box.left];
  const [bend1, bend2] = [(left - x1) / 2, (x2 - right) / 2];
  const d = `M${x1} ${y1}C${x1 + bend1} ${y1} ${left - bend1} ${lane} ${left} ${lane}H${right}`
    + `C${right + bend2} ${lane} ${x2 - bend2} ${y2} ${x2} ${y2}`;
  return { d, x: (left + right) / 2, y: lane };
}
