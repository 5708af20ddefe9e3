// Reads server-sent events from the body of a fetch, whose errors (unlike EventSource's) carry the server's sentence.

/** Yields {event, data} for each event of the response. */
export async function* eventsOf(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const parts = (rest + value).replaceAll("\r\n", "\n").split("\n\n");
    rest = parts.pop();
    for (const part of parts) {
      const found = parsed(part);
      if (found) yield found;
    }
  }
}

function parsed(block) {
  let event = "message";
  const lines = [];
  for (const line of block.split("\n")) {
    if (line.startsWith("event:")) event = line.slice(6).trim();
    else if (line.startsWith("data:")) lines.push(line.slice(5).trimStart());
  }
  return lines.length ? { event, data: lines.join("\n") } : null;
}
