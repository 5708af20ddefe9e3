/* The words of a query. Chinese has no spaces: a run of it is cut into the longest words that the index knows. */

function splitQuery(query) {
  const runs = query.match(/\p{Script=Han}+|(?:(?!\p{Script=Han})[\p{Letter}\p{Number}_])+/gu) || [];
  return runs.flatMap((run) => (/\p{Script=Han}/u.test(run) ? knownWords(run) : [run]));
}

function knownWords(run) {
  const words = [];
  let start = 0;
  while (start < run.length) {
    let end = run.length;
    while (end - start > 1 && !isKnown(run.slice(start, end))) end -= 1;
    if (end - start > 1) words.push(run.slice(start, end));
    start = end;
  }
  return words.length > 0 ? words : [run];
}

function isKnown(word) {
  return Object.hasOwn(Search._index.terms, word) || Object.hasOwn(Search._index.titleterms, word);
}
