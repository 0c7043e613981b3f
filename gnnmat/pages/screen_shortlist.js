// The table of the shortlist: sorted by its headings, filtered with the diagram.
function screenShortlist(screen, choose) {
  const table = document.getElementById("listed-rows");
  if (!table) return { filter: () => [], mark: () => {} };
  const body = table.tBodies[0];
  const lines = [...body.rows];
  const rowOf = (line) => Number(line.dataset.row);
  const rank = new Map(lines.map((line, order) => [line, order]));
  const compare = new Intl.Collator("en", { numeric: true }).compare;

  const orders = {
    rank: (a, b) => rank.get(a) - rank.get(b),
    id: (a, b) => compare(screen.ids[rowOf(a)], screen.ids[rowOf(b)]),
    formula: (a, b) => compare(screen.formulas[rowOf(a)], screen.formulas[rowOf(b)]),
    trust: (a, b) => trust(a) - trust(b),
  };
  // Whom a model has never seen and knows its way with comes first.
  function trust(line) {
    const flag = screen.flags[rowOf(line)];
    return (flag & LEARNED ? 2 : 0) + (flag & OUT_OF_FOLD ? 1 : 0) + (flag & IN_DOMAIN ? 0 : 4);
  }
  function byNumber(column, sign) {
    const { values } = screen.columns[column];
    return (a, b) => {
      const [one, other] = [values[rowOf(a)], values[rowOf(b)]];
      // What is no number stands at the end in both directions.
      if (Number.isNaN(one) || Number.isNaN(other)) return Number.isNaN(one) - Number.isNaN(other);
      return sign * (one - other);
    };
  }

  function sort(button) {
    const head = button.closest("th");
    const { key } = button.dataset;
    const isNumber = !(key in orders);
    // Numbers begin with the largest, words with A.
    const first = isNumber ? "descending" : "ascending";
    const other = isNumber ? "ascending" : "descending";
    const direction = head.ariaSort === first ? other : first;
    for (const one of table.tHead.rows[0].cells) one.ariaSort = "none";
    head.ariaSort = direction;
    const sign = direction === "ascending" ? 1 : -1;
    const order = isNumber ? byNumber(Number(key), sign) : (a, b) => sign * orders[key](a, b);
    lines.sort((a, b) => order(a, b) || orders.rank(a, b));
    body.append(...lines);
  }

  for (const button of table.tHead.querySelectorAll("button"))
    button.addEventListener("click", () => sort(button));
  body.addEventListener("click", (event) => {
    const line = event.target.closest("tr");
    if (line) choose(rowOf(line));
  });

  const words = document.getElementById("listed");
  // Hides what does not pass; the places on the shortlist that are left, best first.
  function filter(passed) {
    for (const line of lines) line.hidden = !passed[rowOf(line)];
    const left = screen.shortlist.map((_, place) => place).filter((place) => passed[screen.shortlist[place]]);
    words.textContent = `${left.length} of ${lines.length} rows`;
    for (const name of ["get-csv", "get-cifs"]) document.getElementById(name).disabled = !left.length;
    return left;
  }

  function mark(row) {
    for (const line of lines) {
      const isChosen = rowOf(line) === row;
      line.classList.toggle("now", isChosen);
      if (isChosen) line.setAttribute("aria-current", "true");
      else line.removeAttribute("aria-current");
      if (isChosen && !line.hidden) within(line);
    }
  }
  // Scrolls the list, and never the page.
  function within(line) {
    const list = table.closest(".listing");
    const [top, head] = [line.offsetTop, table.tHead.offsetHeight];
    if (top - head < list.scrollTop) list.scrollTop = top - head;
    else if (top + line.offsetHeight > list.scrollTop + list.clientHeight)
      list.scrollTop = top + line.offsetHeight - list.clientHeight;
  }
  return { filter, mark };
}
