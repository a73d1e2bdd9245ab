"""A queue of jobs by priority."""

import heapq
from dataclasses import dataclass, field


@dataclass(order=True)
class Job:
    priority: int
    name: str = field(compare=False)
    tags: list[str] = field(default_factory=list, compare=False)


class Queue:
    def __init__(self, limit=100):
        self.limit = limit
        self._jobs = []
        self._done = {}

    def push(self, job):
        if len(self._jobs) >= self.limit:
            raise OverflowError(f"more than {self.limit} jobs")
        heapq.heappush(self._jobs, job)

    def pop(self):
        job = heapq.heappop(self._jobs)
        self._done[job.name] = job
        return job

    def names(self, tag=None):
        found = [job.name for job in self._jobs if tag is None or tag in job.tags]
        return sorted(found)

    def clear(self):
        """Forget all jobs."""
        pass
