<?php
// A queue of jobs by priority.

namespace Jobs;

class Queue
{
    private int $limit;
    private array $jobs = [];

    public function __construct(int $limit = 100)
    {
        $this->limit = $limit;
    }

    public function push(Job $job): void
    {
        if (count($this->jobs) >= $this->limit) {
            throw new \OverflowException("more than {$this->limit} jobs");
        }
        $this->jobs[] = $job;
        usort($this->jobs, fn($a, $b) => $a->priority <=> $b->priority);
    }

    public function names(?string $tag = null): array
    {
        $found = array_filter($this->jobs, fn($job) => in_array($tag, $job->tags));
        return array_map(fn($job) => $job->name, $found);
    }

    public function clear(): void
    {
        throw new \Exception('not implemented');
    }
}
