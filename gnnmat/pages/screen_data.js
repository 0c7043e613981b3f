"use strict";
// Bits of a flag, as gnnmat.pages.screen_data sets them.
const IN_DOMAIN = 1;
const LEARNED = 2;
const OUT_OF_FOLD = 4;
const FRONT = 8;
const SHORTLISTED = 16;

const screenData = (() => {
  async function inflated(text) {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Response(stream).arrayBuffer();
  }
  const numbers = async (text) => text && new Float32Array(await inflated(text));
  const strings = async (text) => JSON.parse(new TextDecoder().decode(await inflated(text)));

  async function column(given) {
    const [values, low, high] = await Promise.all(
      [given.values, given.low, given.high].map(numbers),
    );
    return { ...given, values, low, high };
  }

  // The candidates: arrays with one entry a row, and what the page knows beside them.
  async function read() {
    const given = JSON.parse(document.getElementById("report-figures").textContent).screen;
    const [ids, formulas, flags, ...columns] = await Promise.all([
      strings(given.ids),
      strings(given.formulas),
      inflated(given.flags).then((bytes) => new Uint8Array(bytes)),
      ...given.columns.map(column),
    ]);
    const lengths = [ids, formulas, flags, ...columns.map((one) => one.values)].map((a) => a.length);
    if (lengths.some((length) => length !== given.rows)) throw new Error("The page is damaged.");
    return { ...given, ids, formulas, flags, columns };
  }

  // Four words of 32 bits a row: which of the 118 elements are in the formula.
  const WORDS = 4;
  function elementBits(screen) {
    if (screen.bits) return screen.bits;
    const places = new Map(screen.elements.symbols.map((symbol, number) => [symbol, number]));
    screen.bits = new Uint32Array(WORDS * screen.rows);
    screen.formulas.forEach((formula, row) => {
      for (const symbol of formula.match(/[A-Z][a-z]?/g) ?? []) {
        const number = places.get(symbol);
        if (number) screen.bits[WORDS * row + (number >> 5)] |= 1 << (number & 31);
      }
    });
    return screen.bits;
  }

  // "B, c n xx": the elements as bits, and the words that are none.
  function elementsIn(text, symbols) {
    const bits = new Uint32Array(WORDS);
    const unknown = [];
    const words = text.split(/[\s,;+-]+/).filter(Boolean);
    for (const word of words) {
      const symbol = word[0].toUpperCase() + word.slice(1).toLowerCase();
      const number = symbols.indexOf(symbol);
      if (number > 0) bits[number >> 5] |= 1 << (number & 31);
      else unknown.push(word);
    }
    return { bits, unknown, isEmpty: words.length === unknown.length };
  }

  // Whether the elements of a row are all, any or only those wanted.
  function suits(bits, row, wanted, how) {
    let found = false;
    for (let word = 0; word < WORDS; word++) {
      const [have, want] = [bits[WORDS * row + word], wanted[word]];
      if (how === "all" && (have & want) >>> 0 !== want) return false;
      if (how === "only" && (have & ~want) !== 0) return false;
      found ||= (have & want) !== 0;
    }
    return found;
  }

  // One byte a row: 1 where it passes every filter.
  function passing(screen, filter) {
    const passed = new Uint8Array(screen.rows).fill(1);
    for (const { column, low, high } of filter.ranges) {
      const { values } = screen.columns[column];
      // Written so that what is no number fails.
      for (let row = 0; row < screen.rows; row++)
        if (!(values[row] >= low && values[row] <= high)) passed[row] = 0;
    }
    for (let row = 0; row < screen.rows; row++)
      if ((screen.flags[row] & filter.needs) !== filter.needs || screen.flags[row] & filter.bars)
        passed[row] = 0;
    const { wanted, without } = filter;
    if (wanted.isEmpty && without.isEmpty) return passed;
    const bits = elementBits(screen);
    for (let row = 0; row < screen.rows; row++)
      if (
        (!wanted.isEmpty && !suits(bits, row, wanted.bits, filter.how)) ||
        (!without.isEmpty && suits(bits, row, without.bits, "any"))
      )
        passed[row] = 0;
    return passed;
  }

  const format = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });
  function shown(value) {
    if (!Number.isFinite(value)) return "–";
    const size = Math.abs(value);
    if (size && (size < 1e-4 || size >= 1e8)) return value.toExponential(3).replace("-", "−");
    return format.format(value).replace("-", "−");
  }

  return { read, passing, elementsIn, shown };
})();
