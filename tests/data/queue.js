// A queue of jobs by priority.
import { compare } from './compare.js';

export class Queue {
  constructor(limit = 100) {
    this.limit = limit;
    this.jobs = [];
    this.done = new Map();
  }

  push(job) {
    if (this.jobs.length >= this.limit) {
      throw new RangeError(`more than ${this.limit} jobs`);
    }
    this.jobs.push(job);
    this.jobs.sort((a, b) => compare(a.priority, b.priority));
  }

  pop() {
    const job = this.jobs.shift();
    this.done.set(job.name, job);
    return job;
  }

  names(tag) {
    const found = this.jobs.filter((job) => !tag || job.tags.includes(tag));
    return found.map((job) => job.name);
  }
}

export function clear(queue) {
  // TODO: forget all jobs
}
