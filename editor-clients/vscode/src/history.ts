/** The instructions given before, newest first. Pure; who keeps them does not matter here. */

export const MOST = 50;

export function remembered(history: readonly string[], instruction: string): string[] {
  return [instruction, ...history.filter((each) => each !== instruction)].slice(0, MOST);
}

export function forgotten(history: readonly string[], instruction: string): string[] {
  return history.filter((each) => each !== instruction);
}
