/** The files to choose from, each with the place where its cursor starts. */

import inventory from '../../../examples/inventory.py';
import cart from '../samples/cart.js.txt';
import ring from '../samples/ring.rs.txt';
import route from '../samples/route.ts.txt';
import stack from '../samples/stack.py.txt';
import words from '../samples/words.go.txt';

export interface Sample {
  readonly name: string;
  readonly language: string; // LSP's id, which is Monaco's too for these
  readonly text: string;
  readonly after: string; // the cursor stands at the end of this line
  readonly finished?: boolean; // that line needs no suggestion
}

export const SAMPLES: readonly Sample[] = [
  { name: 'inventory.py', language: 'python', text: inventory, after: '            raise' },
  { name: 'stack.py', language: 'python', text: stack, after: '        ...', finished: true },
  { name: 'cart.js', language: 'javascript', text: cart, after: '    const line = this.lines.find(' },
  { name: 'route.ts', language: 'typescript', text: route, after: '  for (let i = 1; i <' },
  { name: 'ring.rs', language: 'rust', text: ring, after: '        let end = (self.start + self.len) %' },
  { name: 'words.go', language: 'go', text: words, after: '\tscanner.Split(' },
  { name: 'empty.py', language: 'python', text: '', after: '', finished: true },
];

/** The line, counted from 1, that the cursor starts on. */
export function startLine(sample: Sample): number {
  return Math.max(1, sample.text.split('\n').indexOf(sample.after) + 1);
}
