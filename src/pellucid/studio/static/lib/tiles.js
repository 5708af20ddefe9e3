// Many small pictures out of one: a tile shows one cell of a sheet whose cells lie side by side with nothing between.
import { url } from "./api.js";
import { h } from "./dom.js";

const COLUMNS = 20; // of the server's sheets of test images; fewer images stand in one row
export const MOST = 400; // images that it puts on one

const KEPT = 300; // pictures out of data: addresses, each made a blob once so that tiles can share it
const blobs = new Map();

/** The address of the sheet of these test images (part "val": validation images). */
export function sheetUrl(itemId, indices, part) {
  const asked = new URLSearchParams();
  if (part && part !== "test") asked.set("part", part);
  asked.set("indices", indices.join(","));
  return url(`/api/items/${encodeURIComponent(itemId)}/sheet.png?${asked}`);
}

/** One cell as an element, `scale` CSS pixels to a pixel. A sheet of test images knows its columns, of others say them.
 *  Give `label` where the tile is all that says what it shows. */
export function tile(sheet, { columns: said = COLUMNS, cell: [height, width], index, scale = 1, label = null }) {
  const columns = columnsOf(sheet) ?? said;
  const row = Math.floor(index / columns);
  const column = index % columns;
  return h("span", {
    class: "tile",
    role: label ? "img" : null,
    "aria-label": label,
    "aria-hidden": label ? null : "true",
    style: {
      width: `${width * scale}px`,
      height: `${height * scale}px`,
      backgroundImage: `url("${shared(sheet)}")`,
      backgroundSize: `${columns * width * scale}px auto`,
      backgroundPosition: `${-column * width * scale}px ${-row * height * scale}px`,
    },
  });
}

/** How many columns the server gives a sheet of test images; null for other pictures. */
function columnsOf(address) {
  const found = /\/sheet\.png\?.*\bindices=([^&]*)/.exec(address);
  return found ? Math.min(COLUMNS, decodeURIComponent(found[1]).split(",").length) : null;
}

/** A data: address as a short one that is decoded once; other addresses as they are. */
export function shared(address) {
  if (!address.startsWith("data:")) return address;
  if (!blobs.has(address)) {
    const [head, coded] = address.split(",", 2);
    const bytes = Uint8Array.from(atob(coded), (letter) => letter.charCodeAt(0));
    blobs.set(address, URL.createObjectURL(new Blob([bytes], { type: head.slice(5).split(";")[0] })));
    if (blobs.size > KEPT) forget(blobs.keys().next().value);
  }
  return blobs.get(address);
}

function forget(address) {
  URL.revokeObjectURL(blobs.get(address));
  blobs.delete(address);
}
