/** What pip writes while it installs, in a few words for a progress notification. Pure. */

/** Undefined for a line that says nothing new. */
export function progressOf(line: string): string | undefined {
  const retry = /Retrying \(Retry\(total=(\d+)/.exec(line);
  if (retry) return `the package index does not answer; ${retry[1] === '1' ? 'one try' : `${retry[1]} tries`} left`;
  const download = /^\s*Downloading (?:\S*\/)?([^\s/-]+)\S*(?: \(([^)]+)\))?/.exec(line);
  if (download) return `downloading ${download[1]}${download[2] ? ` (${download[2]})` : ''}`;
  const look = /^\s*Collecting ([\w.-]+)/.exec(line);
  if (look) return `looking for ${look[1]}`;
  if (/^\s*Installing collected packages/.test(line)) return 'unpacking the packages';
  return undefined;
}
