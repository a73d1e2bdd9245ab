// A queue of jobs by priority.
import { compare } from './compare';

export interface Job {
  name: string;
  priority: number;
  tags?: string[];
}

export class Queue<T extends Job> {
  private jobs: T[] = [];
  private done = new Map<string, T>();

  constructor(private readonly limit: number = 100) {}

  push(job: T): void {
    if (this.jobs.length >= this.limit) {
      throw new RangeError(`more than ${this.limit} jobs`);
    }
    this.jobs.push(job);
    this.jobs.sort((a, b) => compare(a.priority, b.priority));
  }

  names(tag?: string): string[] {
    const found = this.jobs.filter((job) => !tag || job.tags?.includes(tag));
    return found.map((job) => job.name);
  }
}

export function clear(queue: Queue<Job>): void {
  throw new Error('not implemented');
}
