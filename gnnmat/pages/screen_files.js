// Files made in the page: a table of the shortlist, and its crystals as an archive.
const screenFiles = (() => {
  const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
    let sum = byte;
    for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? (sum >>> 1) ^ 0xedb88320 : sum >>> 1;
    return sum;
  });
  function crc32(bytes) {
    let sum = 0xffffffff;
    for (const byte of bytes) sum = (sum >>> 8) ^ TABLE[(sum ^ byte) & 0xff];
    return (sum ^ 0xffffffff) >>> 0;
  }

  // Little-endian fields: pairs of bytes and value.
  function fields(...pairs) {
    const view = new DataView(new ArrayBuffer(pairs.reduce((all, [width]) => all + width, 0)));
    let at = 0;
    for (const [width, value] of pairs) {
      if (width === 2) view.setUint16(at, value, true);
      else view.setUint32(at, value, true);
      at += width;
    }
    return new Uint8Array(view.buffer);
  }

  // A zip archive whose members are stored as they are (PKWARE APPNOTE 4.3). Names are UTF-8 and
  // all times the first that the format knows, 1 January 1980, so that equal pages give equal files.
  const UTF8 = 1 << 11;
  const DAY = (1 << 5) | 1;
  function archive(members) {
    const encoder = new TextEncoder();
    const [parts, directory] = [[], []];
    let at = 0;
    for (const [name, text] of members) {
      const [title, bytes] = [encoder.encode(name), encoder.encode(text)];
      const sizes = [[4, crc32(bytes)], [4, bytes.length], [4, bytes.length], [2, title.length], [2, 0]];
      const shared = [[2, UTF8], [2, 0], [2, 0], [2, DAY], ...sizes];
      parts.push(fields([4, 0x04034b50], [2, 20], ...shared), title, bytes);
      const rest = [[2, 0], [2, 0], [2, 0], [4, 0], [4, at]];
      directory.push(fields([4, 0x02014b50], [2, 20], [2, 20], ...shared, ...rest), title);
      at += 30 + title.length + bytes.length;
    }
    const length = directory.reduce((all, part) => all + part.length, 0);
    const count = members.length;
    const end = fields([4, 0x06054b50], [2, 0], [2, 0], [2, count], [2, count], [4, length], [4, at], [2, 0]);
    return new Blob([...parts, ...directory, end], { type: "application/zip" });
  }

  // Safe as a name of a file anywhere: no folders, nothing that a system reserves.
  const fileName = (text) => text.replace(/[^A-Za-z0-9._-]+/g, "_").replace(/^[._]+/, "").slice(0, 80) || "crystal";

  function hand(blob, name) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  // Places on the shortlist -> a table of them.
  function csv(screen, places) {
    const text = [screen.csv[0], ...places.map((place) => screen.csv[place + 1])].join("");
    hand(new Blob([text], { type: "text/csv;charset=utf-8" }), `${fileName(screen.name)}.csv`);
  }

  // Places on the shortlist -> their crystals, numbered by rank.
  function cifs(screen, places) {
    const members = [];
    for (const place of places) {
      const row = screen.shortlist[place];
      const id = screen.ids[row];
      if (!Object.hasOwn(screen.cifs, id)) continue;
      const number = String(place + 1).padStart(String(screen.shortlist.length).length, "0");
      members.push([`${number}-${fileName(screen.formulas[row])}-${fileName(id)}.cif`, screen.cifs[id]]);
    }
    hand(archive(members), `${fileName(screen.name)}-cifs.zip`);
  }
  return { csv, cifs };
})();
