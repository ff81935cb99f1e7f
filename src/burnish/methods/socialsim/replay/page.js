"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const data = JSON.parse($("data").textContent);
  const NEVER = 0xffff, ABSENT = 0xffff, FADE = 3;
  const TYPES = { int8: Int8Array, uint8: Uint8Array, int16: Int16Array, uint16: Uint16Array,
    int32: Int32Array, uint32: Uint32Array, float32: Float32Array };

  function unpack(packed) {
    const text = atob(packed.data), bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    return new TYPES[packed.type](bytes.buffer);
  }
  function unpackAll(value) {
    if (Array.isArray(value)) return value.map(unpackAll);
    if (value === null || typeof value !== "object") return value;
    if ("data" in value && "shape" in value) return unpack(value);
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, unpackAll(v)]));
  }
  const world = unpackAll(data);
  const { graph, pulses, beliefs, cascades, feeds, events, series, names, captions, twin } = world;
  const nodes = graph.x.length, ticks = world.ticks, groups = graph.sizes.length;
  const claimName = (c) => c < 0 ? "no claim" : captions.claims[c] ? captions.claims[c][0] : "claim " + c;

  const view = { tick: 0, mode: "belief", claim: 0, cascade: 0, agent: -1, playing: false,
    zoom: 1, dx: 0, dy: 0, exercise: false, answered: new Map() };

  /* ---- colours: read once from the page's style, so that they follow light and dark ---- */
  let ink = {};
  function readInk() {
    const style = getComputedStyle(document.documentElement);
    for (const name of ["page", "card", "ink", "soft", "line", "tint", "red", "blue", "scene", "against", "for", "mid",
      "c0", "c1", "c2", "c3", "c4", "c5", "c6"]) ink[name] = style.getPropertyValue("--" + name).trim();
    ink.scale = [];
    for (let i = 0; i < 15; i++) {
      const share = (i - 7) / 7;
      ink.scale.push(mix(ink.mid, share < 0 ? ink.against : ink.for, Math.abs(share)));
    }
  }
  function mix(a, b, share) {
    const part = (hex, i) => parseInt(hex.slice(1 + 2 * i, 3 + 2 * i), 16);
    const at = (i) => Math.round(part(a, i) * (1 - share) + part(b, i) * share);
    return `rgb(${at(0)},${at(1)},${at(2)})`;
  }
  const series7 = (i) => ink["c" + (i % 7)];

  /* ---- canvases ---- */
  function fit(canvas) {
    const ratio = Math.min(2, window.devicePixelRatio || 1), box = canvas.getBoundingClientRect();
    const w = Math.max(1, Math.round(box.width * ratio)), h = Math.max(1, Math.round(box.height * ratio));
    if (canvas.width !== w || canvas.height !== h) { canvas.width = w; canvas.height = h; }
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    return { context, w: box.width, h: box.height };
  }
  const stage = $("stage"), lanes = $("lanes"), tree = $("tree");
  const back = document.createElement("canvas");
  const px = new Float32Array(nodes), py = new Float32Array(nodes), size = new Float32Array(nodes);
  for (let i = 0; i < nodes; i++) size[i] = 1.6 + Math.min(5, Math.log1p(graph.followers[i]) * 0.42);

  let backStale = true;
  function project() {
    const box = stage.getBoundingClientRect(), room = Math.min(Math.max(box.width - 220, box.width * 0.7), box.height - 34), side = room * view.zoom;
    const left = (box.width - side) / 2 + view.dx, top = (box.height - side) / 2 + view.dy;
    return { x: (u) => left + u * side, y: (v) => top + v * side, side };
  }
  /* discs, follows and sizes do not change with the hour: drawn once, then copied */
  function drawBack() {
    const ratio = stage.width / stage.getBoundingClientRect().width;
    back.width = stage.width; back.height = stage.height;
    const c = back.getContext("2d"), at = project();
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    for (let i = 0; i < nodes; i++) { px[i] = at.x(graph.x[i] / 65535); py[i] = at.y(graph.y[i] / 65535); }
    let widest = 1;
    for (let a = 0; a < groups; a++) for (let b = 0; b < groups; b++) if (a !== b) widest = Math.max(widest, graph.between[a * groups + b]);
    c.strokeStyle = ink.mid;
    for (let a = 0; a < groups; a++) for (let b = 0; b < a; b++) {
      const many = (graph.between[a * groups + b] + graph.between[b * groups + a]) / (2 * widest);
      if (many < 0.02) continue;
      c.globalAlpha = 0.10 + 0.15 * many; c.lineWidth = 1 + 14 * many;
      c.beginPath(); c.moveTo(at.x(graph.centres[2 * a]), at.y(graph.centres[2 * a + 1]));
      c.lineTo(at.x(graph.centres[2 * b]), at.y(graph.centres[2 * b + 1])); c.stroke();
    }
    c.globalAlpha = 1; c.lineWidth = 1;
    for (let g = 0; g < groups; g++) {
      c.beginPath(); c.arc(at.x(graph.centres[2 * g]), at.y(graph.centres[2 * g + 1]), graph.radii[g] * at.side, 0, 7);
      c.fillStyle = ink.tint; c.fill(); c.strokeStyle = ink.line; c.stroke();
    }
    c.globalAlpha = Math.max(0.05, Math.min(0.2, 600 / graph.edges.length)); c.strokeStyle = ink.soft; c.lineWidth = 0.5; c.beginPath();
    for (let i = 0; i < graph.edges.length; i += 2) {
      c.moveTo(px[graph.edges[i]], py[graph.edges[i]]); c.lineTo(px[graph.edges[i + 1]], py[graph.edges[i + 1]]);
    }
    c.stroke(); c.globalAlpha = 1;
    backStale = false; bucketsOf = "";
  }

  /* ---- colours of nodes, in buckets of one path each ---- */
  let buckets = [], bucketsOf = "";
  function snapshotAt(list, tick) {
    let found = 0;
    for (let s = 0; s < list.length; s++) if (list[s] <= tick) found = s;
    return found;
  }
  const step = (value) => Math.max(0, Math.min(14, Math.round(7 + value * 7)));
  function believed(source, tick) {
    const s = snapshotAt(source.ticks, tick), from = (s * world.claims + view.claim) * nodes;
    return source.nodes.subarray(from, from + nodes);
  }
  /* differences are small: the scale ends where 98 in 100 accounts have theirs at the end */
  const largestOf = new Map();
  function largest() {
    if (!largestOf.has(view.claim)) {
      const a = believed(beliefs, ticks), b = believed(twin.beliefs, ticks), gaps = Array.from(a, (v, i) => Math.abs(v - b[i])).sort((x, y) => x - y);
      largestOf.set(view.claim, Math.max(2, gaps[Math.floor(gaps.length * 0.98)]));
    }
    return largestOf.get(view.claim);
  }
  function bucketNodes() {
    const t = Math.floor(view.tick);
    const moment = view.mode === "reached" ? t : snapshotAt(beliefs.ticks, t);
    const want = [view.mode, view.claim, moment].join();
    if (want === bucketsOf) return;
    bucketsOf = want;
    const colours = new Map();
    const put = (colour, i) => { let own = colours.get(colour); if (!own) colours.set(colour, own = []); own.push(i); };
    if (view.mode === "role") for (let i = 0; i < nodes; i++) put(series7(graph.role[i]), i);
    else if (view.mode === "community" || !world.claims) for (let i = 0; i < nodes; i++) put(series7(graph.community[i]), i);
    else if (view.mode === "reached") {
      const first = world.reached.subarray(view.claim * nodes, (view.claim + 1) * nodes);
      for (let i = 0; i < nodes; i++) put(first[i] <= t ? ink.c1 : ink.mid, i);
    } else {
      const own = believed(beliefs, t), other = view.mode === "twin" ? believed(twin.beliefs, t) : null;
      const most = other ? largest() : 100;
      for (let i = 0; i < nodes; i++) put(ink.scale[step((own[i] - (other ? other[i] : 0)) / most)], i);
    }
    buckets = [...colours].map(([colour, list]) => {
      const path = new Path2D();
      for (const i of list) {
        const r = size[i];
        if (r < 2.6) path.rect(px[i] - r * 0.85, py[i] - r * 0.85, r * 1.7, r * 1.7);
        else { path.moveTo(px[i] + r, py[i]); path.arc(px[i], py[i], r, 0, 6.2832); }
      }
      return { colour, path };
    });
  }

  function drawStage() {
    const { context: c, w, h } = fit(stage);
    if (backStale || back.width !== stage.width || back.height !== stage.height) drawBack();
    bucketNodes();
    c.setTransform(1, 0, 0, 1, 0, 0); c.clearRect(0, 0, stage.width, stage.height); c.drawImage(back, 0, 0);
    const ratio = stage.width / w; c.setTransform(ratio, 0, 0, ratio, 0, 0);
    for (const bucket of buckets) { c.fillStyle = bucket.colour; c.fill(bucket.path); }
    drawPulses(c); drawGroups(c); drawChosen(c);
    c.fillStyle = ink.soft; c.globalAlpha = 0.35; c.font = "700 26px system-ui, sans-serif"; c.textAlign = "right";
    c.fillText("SYNTHETIC", w - 12, h - 14); c.globalAlpha = 1;
  }
  function drawPulses(c) {
    const now = Math.floor(view.tick);
    for (let back = FADE - 1; back >= 0; back--) {
      const t = now - back; if (t < 0) continue;
      const links = new Path2D(), rings = new Path2D(), reds = new Path2D();
      for (let e = pulses.start[t]; e < pulses.start[t + 1]; e++) {
        const i = pulses.node[e], from = pulses.from[e], r = size[i] + 2.5;
        const ring = graph.role[i] >= 2 && graph.role[i] <= 4 ? reds : rings;
        ring.moveTo(px[i] + r, py[i]); ring.arc(px[i], py[i], r, 0, 6.2832);
        if (from !== ABSENT) { links.moveTo(px[from], py[from]); links.lineTo(px[i], py[i]); }
      }
      const age = 1 - back / FADE; c.lineWidth = 1.2;
      /* a swarm of thousands would hide the picture behind its lines */
      c.globalAlpha = age * Math.min(0.9, Math.max(0.12, 120 / (pulses.start[t + 1] - pulses.start[t] + 1)));
      c.strokeStyle = ink.scene; c.stroke(links);
      c.globalAlpha = age; c.strokeStyle = ink.ink; c.stroke(rings); c.strokeStyle = ink.red; c.stroke(reds);
    }
    c.globalAlpha = 1;
  }
  /* a community as one super-node: how many accounts it stands for, how loud it is now */
  let loudest = 0;
  function drawGroups(c) {
    if (!loudest) for (const n of series.groups) loudest = Math.max(loudest, n);
    const at = project(), t = Math.floor(view.tick), roomy = stage.clientWidth > 600;
    c.font = "12px system-ui, sans-serif"; c.textBaseline = "middle";
    for (let g = 0; g < groups; g++) {
      const x = at.x(graph.centres[2 * g]), y = at.y(graph.centres[2 * g + 1]), r = graph.radii[g] * at.side;
      const loud = (series.groups[t * groups + g] || 0) / Math.max(1, loudest);
      c.beginPath(); c.arc(x, y, r + 2, -Math.PI / 2, -Math.PI / 2 + 6.2832 * Math.min(0.9999, loud));
      c.strokeStyle = ink.scene; c.lineWidth = 3; c.stroke();
      c.fillStyle = ink.ink;
      const all = graph.sizes[g].toLocaleString("en"), told = roomy && graph.sizes[g] > graph.shown[g] ? `${all} (${graph.shown[g]} shown)` : all;
      const dx = graph.centres[2 * g] - 0.5, dy = graph.centres[2 * g + 1] - 0.5, far = Math.hypot(dx, dy) || 1;
      const lx = x + dx / far * (r + 9), ly = y + (groups === 1 ? -1 : dy / far) * (r + 11);
      c.textAlign = dx / far > 0.35 ? "left" : dx / far < -0.35 ? "right" : "center";
      c.lineWidth = 3; c.strokeStyle = ink.card; c.strokeText(told, lx, ly); c.fillText(told, lx, ly);
    }
    c.textBaseline = "alphabetic";
  }
  function drawChosen(c) {
    const cascade = cascades[view.cascade], now = Math.floor(view.tick);
    if (cascade) {
      c.lineWidth = 2; c.strokeStyle = ink.c3; c.beginPath();
      for (let k = 0; k < cascade.node.length; k++) {
        const i = cascade.node[k], p = cascade.parent[k]; if (i === ABSENT || cascade.tick[k] > now) continue;
        c.moveTo(px[i] + size[i] + 1, py[i]); c.arc(px[i], py[i], size[i] + 1, 0, 6.2832);
        const j = p === NEVER ? ABSENT : cascade.node[p];
        if (j !== ABSENT) { c.moveTo(px[j], py[j]); c.lineTo(px[i], py[i]); }
      }
      c.globalAlpha = Math.min(0.55, Math.max(0.15, 90 / cascade.node.length)); c.stroke(); c.globalAlpha = 1;
    }
    if (view.agent >= 0) {
      c.beginPath(); c.arc(px[view.agent], py[view.agent], size[view.agent] + 6, 0, 6.2832);
      c.lineWidth = 2.5; c.strokeStyle = ink.ink; c.stroke();
    }
  }

  /* ---- timeline: posts, reach, events ---- */
  const across = (w, tick) => 6 + (w - 12) * tick / Math.max(1, ticks - 1);
  let laneBack = null;
  function drawLanes() {
    const { context: c, w, h } = fit(lanes);
    if (!laneBack || laneBack.width !== lanes.width || laneBack.height !== lanes.height) laneBack = paintLanes(w, h);
    c.setTransform(1, 0, 0, 1, 0, 0); c.clearRect(0, 0, lanes.width, lanes.height); c.drawImage(laneBack, 0, 0);
    const ratio = lanes.width / w; c.setTransform(ratio, 0, 0, ratio, 0, 0);
    const x = across(w, view.tick); c.strokeStyle = ink.ink; c.lineWidth = 1.5;
    c.beginPath(); c.moveTo(x, 0); c.lineTo(x, h); c.stroke();
  }
  function paintLanes(w, h) {
    const canvas = document.createElement("canvas"); canvas.width = lanes.width; canvas.height = lanes.height;
    const c = canvas.getContext("2d"), ratio = lanes.width / w, top = h - 46; c.setTransform(ratio, 0, 0, ratio, 0, 0);
    const most = Math.max(1, ...series.posts), bar = Math.max(1, (w - 12) / ticks - 1);
    for (let t = 0; t < ticks; t++) {
      c.fillStyle = ink.mid; c.globalAlpha = 0.55; c.fillRect(across(w, t) - bar / 2, top - series.posts[t] / most * top, bar, series.posts[t] / most * top);
      c.fillStyle = ink.red; c.globalAlpha = 0.8; c.fillRect(across(w, t) - bar / 2, top - series.false[t] / most * top, bar, series.false[t] / most * top);
    }
    c.globalAlpha = 1;
    const line = (values, dash) => {
      c.setLineDash(dash); c.beginPath();
      values.forEach((v, t) => c[t ? "lineTo" : "moveTo"](across(w, t), top - v / world.accounts * top)); c.stroke(); c.setLineDash([]);
    };
    c.lineWidth = 1.8;
    series.reach.forEach((values, k) => { c.strokeStyle = series7(k); line(values, []); });
    if (twin) twin.series.reach.forEach((values, k) => { c.strokeStyle = series7(k); line(values, [4, 3]); });
    const sides = [ink.scene, ink.red, ink.blue];
    for (let side = 0; side < 3; side++) {
      const y = top + 6 + side * 13; c.fillStyle = ink.tint; c.fillRect(6, y, w - 12, 10);
      c.fillStyle = sides[side];
      for (const [tick, own] of events) if (own === side) c.fillRect(across(w, tick) - 1.5, y, 3, 10);
    }
    return canvas;
  }

  /* ---- cascade tree: hours across, branches down ---- */
  function order(cascade) {
    const n = cascade.parent.length, children = Array.from({ length: n }, () => []), y = new Float32Array(n);
    for (let k = 1; k < n; k++) if (cascade.parent[k] !== NEVER) children[cascade.parent[k]].push(k);
    const todo = [[0, 0]]; let leaf = 0;
    while (todo.length) {
      const top = todo[todo.length - 1], own = children[top[0]];
      if (top[1] < own.length) { todo.push([own[top[1]++], 0]); continue; }
      y[top[0]] = own.length ? (y[own[0]] + y[own[own.length - 1]]) / 2 : leaf++;
      todo.pop();
    }
    return { y, leaves: Math.max(1, leaf) };
  }
  let ordered = { of: -1 };
  function drawTree() {
    const { context: c, w, h } = fit(tree), cascade = cascades[view.cascade];
    c.clearRect(0, 0, w, h); if (!cascade) return;
    if (ordered.of !== view.cascade) ordered = { of: view.cascade, ...order(cascade) };
    let last = 1; for (const t of cascade.tick) last = Math.max(last, t - cascade.tick[0]);
    const x = (k) => 10 + (w - 20) * (cascade.tick[k] - cascade.tick[0]) / last, y = (k) => 10 + (h - 20) * (ordered.y[k] + 0.5) / ordered.leaves;
    const now = Math.floor(view.tick), paths = [new Path2D(), new Path2D()], dots = [0, 1, 2, 3].map(() => new Path2D()), reds = new Path2D(), later = new Path2D();
    for (let k = 0; k < cascade.parent.length; k++) {
      const p = cascade.parent[k], past = cascade.tick[k] <= now;
      if (p !== NEVER) { const path = paths[past ? 1 : 0]; path.moveTo(x(p), y(p)); path.bezierCurveTo((x(p) + x(k)) / 2, y(p), (x(p) + x(k)) / 2, y(k), x(k), y(k)); }
      const dot = !past ? later : cascade.red_author[k] ? reds : dots[cascade.kind[k]], r = k ? 2.2 : 4.5;
      dot.moveTo(x(k) + r, y(k)); dot.arc(x(k), y(k), r, 0, 6.2832);
    }
    c.lineWidth = 0.8; c.strokeStyle = ink.line; c.stroke(paths[0]); c.strokeStyle = ink.mid; c.stroke(paths[1]);
    c.fillStyle = ink.line; c.fill(later);
    dots.forEach((path, kind) => { c.fillStyle = series7(kind); c.fill(path); });
    c.fillStyle = ink.red; c.fill(reds);
    c.fillStyle = ink.soft; c.font = "12px system-ui, sans-serif"; c.textAlign = "left";
    if (cascade.size > cascade.parent.length) c.fillText(`the first ${cascade.parent.length.toLocaleString("en")} of ${cascade.size.toLocaleString("en")} posts`, 6, h - 4);
    c.font = "700 12px system-ui, sans-serif"; c.textAlign = "right"; c.globalAlpha = 0.5; c.fillText("SYNTHETIC", w - 6, h - 4); c.globalAlpha = 1;
  }

  /* ---- words: every string is set as text ---- */
  function element(tag, text, kind) { const e = document.createElement(tag); if (text !== undefined) e.textContent = text; if (kind) e.className = kind; return e; }
  function key(target, entries) {
    target.replaceChildren(...entries.map(([colour, text]) => { const s = element("span"), i = element("i"); i.style.background = colour; s.append(i, text); return s; }));
  }
  function showKey() {
    const role = names.roles.map((name, i) => [series7(i), name]);
    const told = {
      belief: [[ink.scale[0], "rejects " + claimName(view.claim)], [ink.scale[7], "undecided"], [ink.scale[14], "believes it"]],
      reached: [[ink.c1, "has met " + claimName(view.claim)], [ink.mid, "not yet"]],
      twin: [[ink.scale[0], "believes it less than in " + captions.twin], [ink.scale[7], "the same"], [ink.scale[14], `more, by ${twin ? (largest() / 100).toFixed(2) : ""} or over`]],
      role, community: [[ink.mid, "one colour a community; arc: how loud it is this hour"]],
    };
    key($("key"), told[view.mode]);
  }
  function showNews() {
    const now = Math.floor(view.tick), near = events.filter((e) => e[0] <= now && e[0] > now - 6).slice(-4);
    $("news").textContent = near.map(([t, side, name, count]) => `hour ${t}, ${["scenario", "red", "blue"][side]}: ${name}${count ? " (" + count + ")" : ""}`).join("  ·  ");
    const day = Math.floor(now / 24) + 1;
    $("clock").textContent = `day ${day}, ${String(now % 24).padStart(2, "0")}:00`;
  }
  function showDifference() {
    if (!twin) return;
    const now = Math.floor(view.tick), table = element("table"), head = element("tr");
    ["", "this run", captions.twin, "difference"].forEach((text) => head.append(element("th", text)));
    const row = (name, a, b, digits) => {
      const tr = element("tr"), say = (v) => digits ? v.toFixed(digits).replace(/^-(0\.0+)$/, "$1") : Math.round(v).toLocaleString("en");
      [name, say(a), say(b), (a - b > 0 ? "+" : "") + say(a - b)].forEach((text) => tr.append(element("td", text))); return tr;
    };
    const until = (values) => values.slice(0, now + 1).reduce((a, b) => a + b, 0);
    const rows = [row("posts so far", until(series.posts), until(twin.series.posts), 0), row("false posts so far", until(series.false), until(twin.series.false), 0)];
    for (let k = 0; k < world.claims; k++) {
      const at = (source, values) => values[snapshotAt(source.ticks, now) * world.claims + k] || 0;
      rows.push(row(`reached by ${claimName(k)}`, series.reach[k][now] || 0, twin.series.reach[k][now] || 0, 0));
      rows.push(row(`mean belief in ${claimName(k)}`, at(beliefs, beliefs.mean), at(twin.beliefs, twin.beliefs.mean), 3));
    }
    table.append(head, ...rows); $("difference").replaceChildren(table);
  }
  function showCascades() {
    $("cascades").replaceChildren(...cascades.map((cascade, k) => {
      const b = element("button"); b.type = "button"; b.setAttribute("aria-pressed", String(k === view.cascade));
      b.append(element("span", `#${cascade.root} · ${claimName(cascade.claim)}${cascade.false ? " · false" : ""}${cascade.red ? " · red" : ""}`), element("span", `${cascade.size} posts, depth ${cascade.depth}`));
      b.addEventListener("click", () => openCascade(k)); return b;
    }));
    key($("treekey"), [...names.kinds.map((name, i) => [series7(i), name]), [ink.red, "by a coordinated account"]]);
  }
  const readerOf = new Map(Array.from(feeds.node, (node, k) => [node, k]));
  function showAgent() {
    const i = view.agent; if (i < 0) { $("account").textContent = "Click an account in the network, or choose one."; $("feed").replaceChildren(); return; }
    const now = Math.floor(view.tick), held = world.claims ? believed(beliefs, now) : null;
    $("account").textContent = `account ${graph.id[i]}${graph.core[i] ? " (core)" : ""} · ${view.exercise ? "?" : names.roles[graph.role[i]]} · community ${graph.community[i]} · ${graph.followers[i]} followers · ideology ${(graph.ideology[i] / 100).toFixed(2)}` + (held ? ` · belief in ${claimName(view.claim)} ${(held[i] / 100).toFixed(2)}` : "");
    const k = readerOf.get(i), list = [];
    if (k === undefined) list.push(element("li", "This account's feed was not kept.", "soft"));
    else for (let e = feeds.start[k]; e < feeds.start[k + 1]; e++) list.push(entry(e, now));
    $("feed").replaceChildren(...list); feedOf = k;
  }
  let feedOf;
  function dimFeed() {
    if (feedOf === undefined || view.agent < 0) return;
    const now = Math.floor(view.tick), list = $("feed").children;
    for (let e = feeds.start[feedOf], i = 0; i < list.length; e++, i++) list[i].classList.toggle("future", feeds.tick[e] > now);
  }
  function entry(e, now) {
    const p = feeds.post[e], posts = feeds.posts, li = element("li", undefined, feeds.tick[e] > now ? "future" : "");
    const author = view.exercise ? `account ${posts.author[p]}` : `${names.roles[posts.role[p]]} ${posts.author[p]}`;
    const about = posts.claim[p] >= 0 ? `${claimName(posts.claim[p])}, stance ${(posts.stance[p] / 100).toFixed(1)}` : `topic ${posts.topic[p]}`;
    const parts = [`hour ${feeds.tick[e]} · ${author} · ${names.kinds[posts.kind[p]]} · ${about}`, feeds.source[e] ? " · trending" : "", posts.labels[p] & 7 ? " · labelled" : ""];
    li.append(element("div", parts.join("")));
    const text = posts.text[p]; if (text) li.append(element("div", text, "soft"));
    if (view.exercise && posts.claim[p] >= 0) li.append(ask(p));
    else if (feeds.did[e]) li.append(element("span", "did: " + names.actions[feeds.did[e]], "did"));
    return li;
  }
  /* the exercise hides who wrote a post and what became of it, and asks what to do */
  function ask(p) {
    const box = element("div"), known = view.answered.get(p);
    if (known === undefined) for (const [word, guess] of [["looks sound", 1], ["looks false", 2]]) {
      const b = element("button", word); b.type = "button"; b.addEventListener("click", () => { view.answered.set(p, guess); showAgent(); }); box.append(b, " ");
    } else {
      const truth = feeds.posts.veracity[p];
      box.append(element("span", truth === 0 ? "It claims nothing that can be checked." : `${known === truth ? "Right" : "Wrong"}: it is ${truth === 2 ? "false" : "true"}, by a ${names.roles[feeds.posts.role[p]]} account.`, "did"));
    }
    return box;
  }

  /* ---- going about ---- */
  let shownTick = -1;
  function draw() {
    drawStage(); drawLanes();
    const now = Math.floor(view.tick);
    if (now !== shownTick) { shownTick = now; drawTree(); showNews(); showDifference(); dimFeed(); $("scrub").value = String(now); }
  }
  function seek(tick) { view.tick = Math.max(0, Math.min(ticks - 1, tick)); }
  function openCascade(k) {
    view.cascade = k; if (cascades[k] && cascades[k].tick[0] > view.tick) seek(cascades[k].tick[0]);
    [...$("cascades").children].forEach((b, i) => b.setAttribute("aria-pressed", String(i === k)));
    drawTree(); draw(); return cascades[k] ? { posts: cascades[k].parent.length, size: cascades[k].size, depth: cascades[k].depth } : null;
  }
  function openAgent(i) { view.agent = i; if (readerOf.has(i)) $("reader").value = String(i); showAgent(); draw(); return $("feed").children.length; }
  function refresh() { readInk(); backStale = true; laneBack = null; bucketsOf = ""; shownTick = -1; showKey(); draw(); }
  let before = 0, pending = false;
  function frame(time) {
    pending = false; if (!view.playing) return;
    seek(view.tick + Math.min(0.1, (time - before) / 1000) * 8); before = time;
    if (view.tick >= ticks - 1) play(false);
    draw(); next();
  }
  function next() { if (!pending && view.playing) { pending = true; requestAnimationFrame(frame); } }
  function play(on) { view.playing = on; $("play").textContent = on ? "Pause" : "Play"; if (on && view.tick >= ticks - 1) seek(0); before = performance.now(); next(); }
  let asked = false;
  function soon() { if (!asked) { asked = true; requestAnimationFrame(() => { asked = false; draw(); }); } }

  function nearest(x, y) {
    let best = -1, least = 144;
    for (let i = 0; i < nodes; i++) { const d = (px[i] - x) ** 2 + (py[i] - y) ** 2; if (d < least) { least = d; best = i; } }
    return best;
  }
  let drag = null;
  stage.addEventListener("pointerdown", (e) => { drag = { x: e.clientX, y: e.clientY, moved: false }; stage.setPointerCapture(e.pointerId); });
  stage.addEventListener("pointermove", (e) => {
    if (!drag) return; const dx = e.clientX - drag.x, dy = e.clientY - drag.y;
    if (!drag.moved && Math.hypot(dx, dy) < 4) return;
    drag = { x: e.clientX, y: e.clientY, moved: true }; view.dx += dx; view.dy += dy; backStale = true; soon();
  });
  stage.addEventListener("pointerup", (e) => {
    if (drag && !drag.moved) { const box = stage.getBoundingClientRect(), i = nearest(e.clientX - box.left, e.clientY - box.top); if (i >= 0) openAgent(i); }
    drag = null;
  });
  stage.addEventListener("wheel", (e) => {
    e.preventDefault(); const old = view.zoom; view.zoom = Math.max(0.6, Math.min(12, view.zoom * Math.exp(-e.deltaY / 500)));
    const box = stage.getBoundingClientRect(), x = e.clientX - box.left - box.width / 2, y = e.clientY - box.top - box.height / 2, f = view.zoom / old;
    view.dx = x - (x - view.dx) * f; view.dy = y - (y - view.dy) * f; backStale = true; soon();
  }, { passive: false });
  const toTick = (e) => { const box = lanes.getBoundingClientRect(); return Math.round((e.clientX - box.left - 6) / (box.width - 12) * (ticks - 1)); };
  lanes.addEventListener("pointerdown", (e) => { seek(toTick(e)); soon(); });
  lanes.addEventListener("pointermove", (e) => { if (e.buttons) { seek(toTick(e)); soon(); } });
  $("scrub").max = String(ticks - 1);
  $("scrub").addEventListener("input", (e) => { seek(Number(e.target.value)); soon(); });
  $("scrub").addEventListener("change", showAgent);
  $("play").addEventListener("click", () => play(!view.playing));
  $("mode").addEventListener("change", (e) => { view.mode = e.target.value; showKey(); soon(); });
  $("exercise").addEventListener("click", (e) => { view.exercise = !view.exercise; e.target.setAttribute("aria-pressed", String(view.exercise)); showAgent(); });
  for (let k = 0; k < world.claims; k++) { const o = element("option", captions.claims[k] ? captions.claims[k].filter(Boolean).join(": ") : claimName(k)); o.value = String(k); $("claim").append(o); }
  $("claim").addEventListener("change", (e) => { view.claim = Number(e.target.value); showKey(); showAgent(); soon(); });
  for (const node of feeds.node) { const o = element("option", `account ${graph.id[node]}${graph.core[node] ? " (core)" : ""}`); o.value = String(node); $("reader").append(o); }
  $("reader").addEventListener("change", (e) => openAgent(Number(e.target.value)));
  window.addEventListener("resize", () => { backStale = true; laneBack = null; shownTick = -1; soon(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", refresh);
  document.addEventListener("keydown", (e) => {
    if (e.target.matches("select, input")) return;
    if (e.key === " " && e.target.tagName !== "BUTTON") { e.preventDefault(); play(!view.playing); }
    if (e.key === "ArrowRight" || e.key === "ArrowLeft") { seek(Math.floor(view.tick) + (e.key === "ArrowRight" ? 1 : -1)); soon(); }
  });

  /* scrubs through the whole run again and again and counts the frames that were drawn */
  function measure(milliseconds) {
    return new Promise((done) => {
      const start = performance.now(); let frames = 0;
      const one = (time) => {
        seek((frames * 0.5) % ticks); draw(); frames++;
        if (time - start < milliseconds) requestAnimationFrame(one);
        else done({ frames, seconds: (performance.now() - start) / 1000, perSecond: frames / ((performance.now() - start) / 1000), nodes });
      };
      requestAnimationFrame(one);
    });
  }
  readInk(); showKey(); showCascades(); showAgent();
  if (feeds.node.length) openAgent(feeds.node[0]);
  $("facts").textContent = `${world.accounts.toLocaleString("en")} invented accounts, ${nodes.toLocaleString("en")} shown one by one, ${ticks} hours`;
  refresh();
  window.replay = { seek: (t) => { seek(t); draw(); return Math.floor(view.tick); }, openCascade, openAgent, measure,
    setMode: (mode) => { view.mode = mode; $("mode").value = mode; showKey(); draw(); }, play,
    state: () => ({ tick: view.tick, ticks, nodes, cascades: cascades.length, readers: feeds.node.length, claims: world.claims, twin: Boolean(twin) }) };
})();
